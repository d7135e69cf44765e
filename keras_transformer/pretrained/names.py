"""Which tensor of a checkpoint of Hugging Face is which weight of a `Transformer`."""

from .tensors import Tensor, named, stack_weights

STACKS = {"encoder": "source", "decoder": "target"}
# Each layer of a stack, and its name in a checkpoint; # is a block's number.
LAYERS = {
    "embedding_norm": "layernorm_embedding",
    "final_norm": "layer_norm",
    "blocks.#.self_attention.query": "layers.#.self_attn.q_proj",
    "blocks.#.self_attention.key": "layers.#.self_attn.k_proj",
    "blocks.#.self_attention.value": "layers.#.self_attn.v_proj",
    "blocks.#.self_attention.output_projection": "layers.#.self_attn.out_proj",
    "blocks.#.self_attention_residual.norm": "layers.#.self_attn_layer_norm",
    "blocks.#.cross_attention.query": "layers.#.encoder_attn.q_proj",
    "blocks.#.cross_attention.key": "layers.#.encoder_attn.k_proj",
    "blocks.#.cross_attention.value": "layers.#.encoder_attn.v_proj",
    "blocks.#.cross_attention.output_projection": "layers.#.encoder_attn.out_proj",
    "blocks.#.cross_attention_residual.norm": "layers.#.encoder_attn_layer_norm",
    "blocks.#.feed_forward.expand": "layers.#.fc1",
    "blocks.#.feed_forward.contract": "layers.#.fc2",
    "blocks.#.feed_forward_residual.norm": "layers.#.final_layer_norm",
}
# Files of a model without its output lack the first.
PREFIXES = ("model.", "")
SOURCE = "encoder.embed_tokens.weight"
TARGET = "decoder.embed_tokens.weight"
SHARED = "shared.weight"
OUTPUTS = ("lm_head.weight", "model.decoder.output_projection.weight")
POSITIONS = [f"model.{stack}.embed_positions.weight" for stack in STACKS]
# Sinusoids have one more name each, in older files.
TABLES = {name + ending for name in POSITIONS for ending in ("", "s")}
TABLES |= {name.removeprefix("model.") for name in TABLES}
# Rows before the first position in tables of fairseq's learned positions.
UNUSED_POSITIONS = 2


def tensors(config):
    """The `Tensor`s of a `TransformerConfig` whose family has fairseq's names."""
    yield from matrices(config)
    for stack, side in STACKS.items():
        weights = stack_weights(config, side)
        prefixes = [f"{prefix}{stack}." for prefix in PREFIXES]
        yield from named(weights, LAYERS, f"{stack}.", prefixes)


def prefixed(*names):
    """Names with each of the prefixes."""
    return tuple(prefix + name for prefix in PREFIXES for name in names)


def matrices(config):
    """Embeddings, learned positions, and what makes logits."""
    source = (config.source_vocab_size, config.d_model)
    target = (config.target_vocab_size, config.d_model)
    names = prefixed(TARGET)
    matrix = "embedding.token_embedding.embeddings"
    if config.share_embeddings:
        names = prefixed(SHARED, TARGET, SOURCE)
    else:
        yield Tensor(f"encoder.{matrix}", prefixed(SOURCE), source)
    if config.tie_output:
        names += OUTPUTS
    else:
        path = "decoder.output_projection.kernel"
        yield Tensor(path, OUTPUTS, target, transposed=True)
    yield Tensor(f"decoder.{matrix}", names, target)
    if config.positions == "learned":
        shape = (config.max_positions + UNUSED_POSITIONS, config.d_model)
        for stack in STACKS:
            path = f"{stack}.embedding.position_table"
            names = prefixed(f"{stack}.embed_positions.weight")
            yield Tensor(path, names, shape, skipped=UNUSED_POSITIONS)
    if config.output_bias:
        shape = (1, config.target_vocab_size)
        names = ("final_logits_bias",)
        yield Tensor("decoder.output_bias", names, shape, optional=True)
