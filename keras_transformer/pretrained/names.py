"""Which tensor of a checkpoint of Hugging Face is which weight of a `Transformer`."""

import dataclasses

import numpy as np

ATTENTION = {
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "output_projection": "out_proj",
}
SOURCE = "model.encoder.embed_tokens.weight"
TARGET = "model.decoder.embed_tokens.weight"
SHARED = "model.shared.weight"
OUTPUTS = ("lm_head.weight", "model.decoder.output_projection.weight")
SOURCE_TABLE = "model.encoder.embed_positions.weight"
TARGET_TABLE = "model.decoder.embed_positions.weight"
# Sinusoids have one more name each, in older files.
TABLES = {SOURCE_TABLE, TARGET_TABLE, f"{SOURCE_TABLE}s", f"{TARGET_TABLE}s"}
# Rows before the first position in tables of fairseq's learned positions.
UNUSED_POSITIONS = 2


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One weight of a `Transformer`, and what it is in a checkpoint."""

    path: str  # of our variable: attributes, from the model on
    # In the checkpoint; where there are several, all are the same tensor.
    names: tuple[str, ...]
    shape: tuple[int, ...]  # in the checkpoint
    transposed: bool = False
    flat: bool = False  # ours has one axis
    skipped: int = 0  # rows at the beginning that we do not have

    def variable(self, model):
        """Our variable."""
        found = model
        for part in self.path.split("."):
            found = found[int(part)] if part.isdigit() else getattr(found, part)
        return found

    def ours(self, array):
        """A checkpoint's array as we hold it."""
        array = array[self.skipped :]
        if self.flat:
            array = array.reshape(-1)
        return array.T if self.transposed else array

    def theirs(self, array):
        """Our array as a checkpoint holds it."""
        array = array.T if self.transposed else array
        return np.ascontiguousarray(array, "float32").reshape(self.shape)


def tensors(config):
    """The `Tensor`s of a `TransformerConfig` with the head sizes of a checkpoint."""
    yield from matrices(config)
    if config.positions == "learned":
        shape = (config.max_positions + UNUSED_POSITIONS, config.d_model)
        skipped = UNUSED_POSITIONS
        yield Tensor("encoder.embedding.table", (SOURCE_TABLE,), shape, skipped=skipped)
        yield Tensor(
            "decoder.embedding.second_table", (TARGET_TABLE,), shape, skipped=skipped
        )
    for stack in ("encoder", "decoder"):
        theirs = f"model.{stack}"
        if config.embedding_norm:
            ours = f"{stack}.embedding_norm"
            yield from norm(ours, f"{theirs}.layernorm_embedding", config.d_model)
        if config.has_final_norm:
            ours = f"{stack}.final_norm"
            yield from norm(ours, f"{theirs}.layer_norm", config.d_model)
        for number in range(getattr(config, f"{stack}_layers")):
            yield from block(config, stack, number)


def matrices(config):
    """Embeddings, and what makes logits."""
    source = (config.source_vocab_size, config.d_model)
    target = (config.target_vocab_size, config.d_model)
    outputs = OUTPUTS if config.tie_output else ()
    ours = "decoder.embedding.embeddings"
    if config.share_embeddings:
        yield Tensor(ours, (SHARED, TARGET, SOURCE, *outputs), target)
    else:
        yield Tensor(ours, (TARGET, *outputs), target)
        yield Tensor("encoder.embedding.embeddings", (SOURCE,), source)
    if not config.tie_output:
        yield Tensor("decoder.output_matrix", OUTPUTS, target)
    if config.output_bias:
        shape = (1, config.target_vocab_size)
        yield Tensor("decoder.output_bias", ("final_logits_bias",), shape, flat=True)


def block(config, stack, number):
    """One block of a stack."""
    ours = f"{stack}.blocks.{number}"
    theirs = f"model.{stack}.layers.{number}"
    width = config.d_model
    encoder_d_ff, d_ff = config.d_ffs
    attentions = {"self_attention": "self_attn", "cross_attention": "encoder_attn"}
    if stack == "encoder":
        d_ff = encoder_d_ff
        del attentions["cross_attention"]
    for attention, name in attentions.items():
        for part, projection in ATTENTION.items():
            projection = f"{theirs}.{name}.{projection}"
            yield from dense(f"{ours}.{attention}.{part}", projection, width, width)
        yield from norm(
            f"{ours}.{attention}_norm", f"{theirs}.{name}_layer_norm", width
        )
    yield from dense(f"{ours}.feed_forward.expand", f"{theirs}.fc1", width, d_ff)
    yield from dense(f"{ours}.feed_forward.contract", f"{theirs}.fc2", d_ff, width)
    yield from norm(f"{ours}.feed_forward_norm", f"{theirs}.final_layer_norm", width)


def dense(ours, theirs, inputs, outputs):
    shape = (outputs, inputs)
    yield Tensor(f"{ours}.kernel", (f"{theirs}.weight",), shape, transposed=True)
    yield Tensor(f"{ours}.bias", (f"{theirs}.bias",), (outputs,))


def norm(ours, theirs, width):
    yield Tensor(f"{ours}.gamma", (f"{theirs}.weight",), (width,))
    yield Tensor(f"{ours}.beta", (f"{theirs}.bias",), (width,))
