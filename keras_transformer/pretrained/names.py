"""Which tensor of a checkpoint of Hugging Face is which weight of a `Transformer`."""

import dataclasses

import numpy as np

# Each part of a path to our variable, and what stands for it in a tensor's name.
PARTS = {
    "blocks": "layers",
    "self_attention": "self_attn",
    "self_attention_residual": "self_attn_layer_norm",
    "cross_attention": "encoder_attn",
    "cross_attention_residual": "encoder_attn_layer_norm",
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "output_projection": "out_proj",
    "expand": "fc1",
    "contract": "fc2",
    "feed_forward_residual": "final_layer_norm",
    "embedding_norm": "layernorm_embedding",
    "final_norm": "layer_norm",
}
SOURCE = "model.encoder.embed_tokens.weight"
TARGET = "model.decoder.embed_tokens.weight"
SHARED = "model.shared.weight"
OUTPUTS = ("lm_head.weight", "model.decoder.output_projection.weight")
POSITIONS = {
    "encoder.embedding.position_table": "model.encoder.embed_positions.weight",
    "decoder.embedding.position_table": "model.decoder.embed_positions.weight",
}
# Sinusoids have one more name each, in older files.
TABLES = {name + ending for name in POSITIONS.values() for ending in ("", "s")}
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
    skipped: int = 0  # rows at the beginning that we do not have

    def variable(self, model):
        """Our variable."""
        found = model
        for part in self.path.split("."):
            found = found[int(part)] if part.isdigit() else getattr(found, part)
        return found

    def ours(self, array):
        """A checkpoint's array as we hold it, but for axes of one row."""
        array = array[self.skipped :]
        return array.T if self.transposed else array

    def theirs(self, array):
        """Our array as a checkpoint holds it."""
        array = array.T if self.transposed else array
        return np.ascontiguousarray(array, "float32").reshape(self.shape)


def tensors(config):
    """The `Tensor`s of a `TransformerConfig` with the head sizes of a checkpoint."""
    yield from matrices(config)
    width = config.d_model
    for stack in ("encoder", "decoder"):
        if config.embedding_norm:
            yield from norm(f"{stack}.embedding_norm", width)
        if config.has_final_norm:
            yield from norm(f"{stack}.final_norm", width)
    encoder_d_ff, decoder_d_ff = config.d_ffs
    for number in range(config.encoder_layers):
        path = f"encoder.blocks.{number}"
        yield from block(path, ["self_attention"], width, encoder_d_ff)
    for number in range(config.decoder_layers):
        path = f"decoder.blocks.{number}"
        attentions = ["self_attention", "cross_attention"]
        yield from block(path, attentions, width, decoder_d_ff)


def matrices(config):
    """Embeddings, learned positions, and what makes logits."""
    source = (config.source_vocab_size, config.d_model)
    target = (config.target_vocab_size, config.d_model)
    outputs = OUTPUTS if config.tie_output else ()
    path = "decoder.embedding.token_embedding.embeddings"
    if config.share_embeddings:
        yield Tensor(path, (SHARED, TARGET, SOURCE, *outputs), target)
    else:
        yield Tensor(path, (TARGET, *outputs), target)
        path = "encoder.embedding.token_embedding.embeddings"
        yield Tensor(path, (SOURCE,), source)
    if config.positions == "learned":
        rows = config.max_positions + UNUSED_POSITIONS
        shape = (rows, config.d_model)
        for path, name in POSITIONS.items():
            yield Tensor(path, (name,), shape, skipped=UNUSED_POSITIONS)
    if not config.tie_output:
        path = "decoder.output_projection.kernel"
        yield Tensor(path, OUTPUTS, target, transposed=True)
    if config.output_bias:
        shape = (1, config.target_vocab_size)
        yield Tensor("decoder.output_bias", ("final_logits_bias",), shape)


def block(path, attentions, width, d_ff):
    """One block of a stack."""
    for attention in attentions:
        for part in ("query", "key", "value", "output_projection"):
            yield from dense(f"{path}.{attention}.{part}", width, width)
        yield from norm(f"{path}.{attention}_residual.norm", width)
    yield from dense(f"{path}.feed_forward.expand", width, d_ff)
    yield from dense(f"{path}.feed_forward.contract", d_ff, width)
    yield from norm(f"{path}.feed_forward_residual.norm", width)


def dense(path, inputs, outputs):
    yield from layer(path, "kernel", "bias", (outputs, inputs))


def norm(path, width):
    yield from layer(path, "gamma", "beta", (width,))


def layer(path, weight, bias, shape):
    """The two weights of a layer, which a checkpoint calls `weight` and `bias`."""
    name = name_of(path)
    yield Tensor(f"{path}.{weight}", (f"{name}.weight",), shape, transposed=True)
    yield Tensor(f"{path}.{bias}", (f"{name}.bias",), shape[:1])


def name_of(path):
    """What a checkpoint calls the layer that our path leads to."""
    unnamed = ("feed_forward", "norm")
    parts = [part for part in path.split(".") if part not in unnamed]
    return ".".join(["model", *(PARTS.get(part, part) for part in parts)])
