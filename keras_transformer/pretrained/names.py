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
UNNAMED = ("feed_forward", "norm")
ATTENTIONS = {
    "encoder": ["self_attention"],
    "decoder": ["self_attention", "cross_attention"],
}
SIDES = {"encoder": "source", "decoder": "target"}
SOURCE = "model.encoder.embed_tokens.weight"
TARGET = "model.decoder.embed_tokens.weight"
SHARED = "model.shared.weight"
OUTPUTS = ("lm_head.weight", "model.decoder.output_projection.weight")
POSITIONS = [f"model.{stack}.embed_positions.weight" for stack in ATTENTIONS]
# Sinusoids have one more name each, in older files.
TABLES = {name + ending for name in POSITIONS for ending in ("", "s")}
# Rows before the first position in tables of fairseq's learned positions.
UNUSED_POSITIONS = 2


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One weight of a `Transformer`, and what it is in a checkpoint.

    Attributes:
        path: the attributes that lead from the model to our variable.
        names: in the checkpoint; where there are several, all are the same tensor.
        shape: in the checkpoint.
        transposed: whether it is there the other way round.
        skipped: rows at the beginning that we do not have.
    """

    path: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    transposed: bool = False
    skipped: int = 0

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
    for stack, side in SIDES.items():
        _, count, d_ff = config.side(side)
        if config.embedding_norm:
            yield from layer(f"{stack}.embedding_norm", width)
        if config.has_final_norm:
            yield from layer(f"{stack}.final_norm", width)
        for number in range(count):
            path = f"{stack}.blocks.{number}"
            yield from block(path, ATTENTIONS[stack], width, d_ff)


def matrices(config):
    """Embeddings, learned positions, and what makes logits."""
    source = (config.source_vocab_size, config.d_model)
    target = (config.target_vocab_size, config.d_model)
    names = (TARGET,)
    matrix = "embedding.token_embedding.embeddings"
    if config.share_embeddings:
        names = (SHARED, TARGET, SOURCE)
    else:
        yield Tensor(f"encoder.{matrix}", (SOURCE,), source)
    if config.tie_output:
        names += OUTPUTS
    else:
        path = "decoder.output_projection.kernel"
        yield Tensor(path, OUTPUTS, target, transposed=True)
    yield Tensor(f"decoder.{matrix}", names, target)
    if config.positions == "learned":
        shape = (config.max_positions + UNUSED_POSITIONS, config.d_model)
        for stack, name in zip(ATTENTIONS, POSITIONS):
            path = f"{stack}.embedding.position_table"
            yield Tensor(path, (name,), shape, skipped=UNUSED_POSITIONS)
    if config.output_bias:
        shape = (1, config.target_vocab_size)
        yield Tensor("decoder.output_bias", ("final_logits_bias",), shape)


def block(path, attentions, width, d_ff):
    """One block of a stack."""
    for name in attentions:
        attention = f"{path}.{name}"
        for part in ("query", "key", "value", "output_projection"):
            yield from layer(f"{attention}.{part}", width, width)
        yield from layer(f"{attention}_residual.norm", width)
    path = f"{path}.feed_forward"
    yield from layer(f"{path}.expand", d_ff, width)
    yield from layer(f"{path}.contract", width, d_ff)
    yield from layer(f"{path}_residual.norm", width)


def layer(path, *shape):
    """The two weights of a dense layer, or of a norm, whose shape is a width."""
    parts = [PARTS.get(part, part) for part in path.split(".") if part not in UNNAMED]
    name = ".".join(["model", *parts])
    weight = "kernel" if len(shape) == 2 else "gamma"
    bias = "bias" if len(shape) == 2 else "beta"
    yield Tensor(f"{path}.{weight}", (f"{name}.weight",), shape, transposed=True)
    yield Tensor(f"{path}.{bias}", (f"{name}.bias",), shape[:1])
