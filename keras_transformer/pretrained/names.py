"""Which tensor of a checkpoint is which weight of ours: Hugging Face's names for the families of `families.py`."""

import dataclasses

import numpy as np

ATTENTION = {
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "output_projection": "out_proj",
}
STACK_NORMS = {"embedding_norm": "layernorm_embedding", "final_norm": "layer_norm"}
SOURCE, TARGET = (
    "model.encoder.embed_tokens.weight",
    "model.decoder.embed_tokens.weight",
)
OUTPUTS = ("lm_head.weight", "model.decoder.output_projection.weight")
TABLES = {
    f"model.{stack}.embed_positions.weight{s}"
    for stack in ("encoder", "decoder")
    for s in ("", "s")
}
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
        for part in self.path.split("."):
            model = model[int(part)] if part.isdigit() else getattr(model, part)
        return model

    def ours(self, array):
        """A checkpoint's array as we hold it."""
        array = array[self.skipped :]
        if self.flat:
            return array.reshape(-1)
        return np.ascontiguousarray(array.T) if self.transposed else array

    def theirs(self, array):
        """Our array as a checkpoint holds it."""
        return np.ascontiguousarray(
            array.T if self.transposed else array, "float32"
        ).reshape(self.shape)


def tensors(config):
    """The `Tensor`s of a `TransformerConfig` whose head sizes are those of a checkpoint."""
    yield from matrices(config)
    if config.positions == "learned":
        yield from tables(config)
    for stack, blocks in (
        ("encoder", config.encoder_layers),
        ("decoder", config.decoder_layers),
    ):
        present = {
            "embedding_norm": config.embedding_norm,
            "final_norm": config.has_final_norm,
        }
        for ours, theirs in STACK_NORMS.items():
            if present[ours]:
                yield from norm(
                    f"{stack}.{ours}", f"model.{stack}.{theirs}", config.d_model
                )
        for number in range(blocks):
            yield from block(
                config,
                stack,
                f"{stack}.blocks.{number}",
                f"model.{stack}.layers.{number}",
            )


def matrices(config):
    """Embeddings, and what makes logits."""
    width, sizes = config.d_model, (config.source_vocab_size, config.target_vocab_size)
    outputs = OUTPUTS if config.tie_output else ()
    if config.share_embeddings:
        names = ("model.shared.weight", TARGET, SOURCE, *outputs)
        yield Tensor("decoder.embedding.embeddings", names, (sizes[1], width))
    else:
        yield Tensor("encoder.embedding.embeddings", (SOURCE,), (sizes[0], width))
        yield Tensor(
            "decoder.embedding.embeddings", (TARGET, *outputs), (sizes[1], width)
        )
    if not config.tie_output:
        yield Tensor("decoder.output_matrix", OUTPUTS, (sizes[1], width))
    if config.output_bias:
        yield Tensor(
            "decoder.output_bias", ("final_logits_bias",), (1, sizes[1]), flat=True
        )


def tables(config):
    """Learned positions, a table for each side."""
    shape = (config.max_positions + UNUSED_POSITIONS, config.d_model)
    for stack, name in (("encoder", "table"), ("decoder", "second_table")):
        theirs = f"model.{stack}.embed_positions.weight"
        yield Tensor(
            f"{stack}.embedding.{name}", (theirs,), shape, skipped=UNUSED_POSITIONS
        )


def block(config, stack, ours, theirs):
    """One block of a stack."""
    width, attentions = config.d_model, {"self_attention": "self_attn"}
    inner = config.d_ffs[stack == "decoder"]
    if stack == "decoder":
        attentions["cross_attention"] = "encoder_attn"
    for attention, name in attentions.items():
        for part, projection in ATTENTION.items():
            yield from dense(
                f"{ours}.{attention}.{part}",
                f"{theirs}.{name}.{projection}",
                width,
                width,
            )
        yield from norm(
            f"{ours}.{attention}_norm", f"{theirs}.{name}_layer_norm", width
        )
    yield from dense(f"{ours}.feed_forward.expand", f"{theirs}.fc1", width, inner)
    yield from dense(f"{ours}.feed_forward.contract", f"{theirs}.fc2", inner, width)
    yield from norm(f"{ours}.feed_forward_norm", f"{theirs}.final_layer_norm", width)


def dense(ours, theirs, inputs, outputs):
    yield Tensor(
        f"{ours}.kernel", (f"{theirs}.weight",), (outputs, inputs), transposed=True
    )
    yield Tensor(f"{ours}.bias", (f"{theirs}.bias",), (outputs,))


def norm(ours, theirs, width):
    yield Tensor(f"{ours}.gamma", (f"{theirs}.weight",), (width,))
    yield Tensor(f"{ours}.beta", (f"{theirs}.bias",), (width,))
