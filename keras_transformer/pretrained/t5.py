"""T5 and its later version 1.1 (Flan-T5, mT5's kin): settings and names."""

from ..config import TransformerConfig, expect, one_of
from .settings import THEIR_NAMES, written
from .tensors import Tensor, named, stack_weights

SWITCHES = dict(
    norm="rms",
    norm_first=True,
    positions="relative",
    embedding_norm=False,
    final_norm=None,
    attention_bias=False,
    feed_forward_bias=False,
    num_key_value_heads=None,
    window=None,
    decoder_d_ff=None,
    share_embeddings=True,
    output_bias=False,
)
# Our fields, and what config.json calls them.
FIELDS = {
    "source_vocab_size": "vocab_size",
    "target_vocab_size": "vocab_size",
    "encoder_layers": "num_layers",
    "d_model": "d_model",
    "d_ff": "d_ff",
    "num_heads": "num_heads",
    "key_dim": "d_kv",
    "value_dim": "d_kv",
    "attention_dropout": "dropout_rate",
    "dropout": "dropout_rate",
    "layer_norm_epsilon": "layer_norm_epsilon",
    "relative_buckets": "relative_attention_num_buckets",
}
FEED_FORWARDS = {
    "relu": ("relu", False),
    "gated-gelu": ("gelu_tanh", True),
    "gated-silu": ("silu", True),
}
DISTANCE = "relative_attention_max_distance"
# In files of older versions.
ABSENT = {DISTANCE: 128, "feed_forward_proj": "relu", "num_decoder_layers": None}
ATTENTION = ("query", "key", "value", "output_projection")
OUTPUT = "lm_head.weight"
# Of no use: cross-attention has no bias.
UNUSED = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"}


def config_of(settings, special, names):
    """The `TransformerConfig` of T5's `config.json`; `names` are its tensors'."""
    settings = settings.with_defaults(ABSENT)
    kind = one_of("feed_forward_proj", settings["feed_forward_proj"], FEED_FORWARDS)
    activation, gated = FEED_FORWARDS[kind]
    # Further settings, which must not say another thing.
    said_again = {"dense_act_fn": THEIR_NAMES[activation], "is_gated_act": gated}
    for name, value in said_again.items():
        found = settings.get(name, value)
        must = f"be {value!r} with feed_forward_proj={kind!r}"
        expect(found == value, name, must, found)
    # The first version's outputs are scaled, and their matrix is the embedding.
    said = settings.get("tie_word_embeddings", True)
    is_scaled = settings.get("scale_decoder_outputs", said)
    decoder_layers = settings["num_decoder_layers"]
    if decoder_layers is None:
        decoder_layers = settings["num_layers"]
    return TransformerConfig(
        **settings.fields(FIELDS),
        decoder_layers=decoder_layers,
        activation=activation,
        gated=gated,
        relative_distance=settings[DISTANCE],
        scale_embedding=is_scaled,
        tie_output=is_scaled or OUTPUT not in names,
        **special.fields,
        **SWITCHES,
    )


def settings_of(config):
    """What T5's `config.json` has for a `TransformerConfig` of this family."""
    kinds = {kind: name for name, kind in FEED_FORWARDS.items()}
    return {
        **written(config, FIELDS),
        "num_decoder_layers": config.decoder_layers,
        "feed_forward_proj": kinds[config.activation, config.gated],
        DISTANCE: config.relative_distance,
        "tie_word_embeddings": config.scale_embedding,
        "scale_decoder_outputs": config.scale_embedding,
    }


def tensors(config):
    """The `Tensor`s of a `TransformerConfig` of this family.

    Scores are not divided by the square root of the size of a head: queries are
    multiplied by it. Tied outputs are divided by the square root of the width: the
    matrix is, and what is looked up in it multiplied.
    """
    width = config.d_model
    size, _ = config.head_sizes
    names = ("shared.weight", "encoder.embed_tokens.weight")
    names += ("decoder.embed_tokens.weight",)
    shape = (config.target_vocab_size, width)
    factor = width**-0.5 if config.scale_embedding else 1.0
    if config.tie_output:
        names += (OUTPUT,)
    else:
        path = "decoder.output_projection.kernel"
        yield Tensor(path, (OUTPUT,), shape, transposed=True, factor=factor)
    path = "decoder.embedding.token_embedding.embeddings"
    yield Tensor(path, names, shape, factor=factor)
    factors = {f"blocks.#.{kind}.query": size**0.5 for kind in layers_of("target")}
    for stack, side in (("encoder", "source"), ("decoder", "target")):
        weights = stack_weights(config, side)
        prefixes = (f"{stack}.",)
        table = table_of(side)
        yield from named(weights, table, f"{stack}.", prefixes, factors)


def layers_of(side):
    """The sub-layers of a block, by our names, and theirs."""
    found = {"self_attention": "SelfAttention"}
    if side == "target":
        found["cross_attention"] = "EncDecAttention"
    return found


def table_of(side):
    """Each layer of a stack, and its name in a checkpoint."""
    attentions = layers_of(side)
    table = {
        "final_norm": "final_layer_norm",
        "relative_bias": "block.0.layer.0.SelfAttention.relative_attention_bias",
    }
    for number, (ours, theirs) in enumerate(attentions.items()):
        layer = f"block.#.layer.{number}"
        for part in ATTENTION:
            table[f"blocks.#.{ours}.{part}"] = f"{layer}.{theirs}.{part[0]}"
        table[f"blocks.#.{ours}_residual.norm"] = f"{layer}.layer_norm"
    layer = f"block.#.layer.{len(attentions)}"
    path = "blocks.#.feed_forward"
    wide = f"{layer}.DenseReluDense.wi"
    table[f"{path}.gate"] = f"{wide}_0"
    table[f"{path}.expand"] = (wide, f"{wide}_1")
    table[f"{path}.contract"] = f"{layer}.DenseReluDense.wo"
    table[f"{path}_residual.norm"] = f"{layer}.layer_norm"
    return table
