"""A checkpoint's `config.json` as a `TransformerConfig`: switches of each family."""

from ..config import TransformerConfig, expect, one_of
from . import causal_lm, names, t5
from .settings import Settings

FAIRSEQ = dict(positions="sinusoidal_fairseq", first_position=2)
BART = dict(
    embedding_norm=True,
    positions="learned",
    share_positions=False,
    output_bias=True,
)
# How each family of these names differs from the paper, beside biases and epsilon.
FAMILIES = {
    "marian": dict(positions="sinusoidal_halves", output_bias=True),
    "fsmt": FAIRSEQ,
    "m2m_100": dict(norm_first=True, **FAIRSEQ),
    "bart": BART,
    "mbart": dict(norm_first=True, **BART),
}
SAME_NAME = (
    "encoder_layers",
    "decoder_layers",
    "d_model",
    "dropout",
    "attention_dropout",
    "scale_embedding",
)
# In files of older versions.
ABSENT = {"attention_dropout": 0.0, "share_encoder_decoder_embeddings": True}


def transformer_config(config, special, tensors=()):
    """The `TransformerConfig` of a checkpoint.

    Args:
        config: the content of its `config.json`, of one of `READERS`.
        special: the `SpecialTokens` of its target tokenizer.
        tensors: the names of its tensors.

    Raises:
        ValueError: if it lacks a setting, or has one that our model has not.
    """
    family = one_of("model_type", config.get("model_type"), READERS)
    return READERS[family](Settings(config), special, tensors)


def fairseq_config(config, special, tensors=()):
    """The `TransformerConfig` of one of `FAMILIES`."""
    family = config["model_type"]
    tied = {"tie_word_embeddings": family != "fsmt"}
    config = config.with_defaults(ABSENT | tied)
    heads = config["encoder_attention_heads"]
    others = config["decoder_attention_heads"]
    must = f"be the encoder's {heads}"
    expect(heads == others, "decoder_attention_heads", must, others)
    d_ff = config["encoder_ffn_dim"]
    decoder_d_ff = config["decoder_ffn_dim"]
    return TransformerConfig(
        **{name: config[name] for name in SAME_NAME},
        **matrices(family, config),
        num_heads=heads,
        d_ff=d_ff,
        decoder_d_ff=None if decoder_d_ff == d_ff else decoder_d_ff,
        activation=config.activation("activation_function"),
        max_positions=config["max_position_embeddings"],
        attention_bias=True,
        layer_norm_epsilon=1e-5,
        **special.fields,
        **FAMILIES[family],
    )


def matrices(family, config):
    """The sizes of the vocabularies, and which of the three matrices are one."""
    tied = config["tie_word_embeddings"]
    if family == "fsmt":
        source = config["src_vocab_size"]
        target = config["tgt_vocab_size"]
        shared = tied  # of one matrix, its decoder's
    else:
        source = target = config["vocab_size"]
        shared = family != "marian" or config["share_encoder_decoder_embeddings"]
        if not shared:
            target = config.get("decoder_vocab_size") or source
        must = "be true where source and target share a matrix"
        expect(tied or not shared, "tie_word_embeddings", must, tied)
    return dict(
        source_vocab_size=source,
        target_vocab_size=target,
        share_embeddings=shared,
        tie_output=tied,
    )


def written_as(config):
    """The model type that a `TransformerConfig` is written back as."""
    for family, switches in WRITTEN.items():
        if switches.items() <= vars(config).items():
            return family
    return "marian"


# What a model is that is written back as another type than Marian.
WRITTEN = {
    "t5": t5.SWITCHES,
    "bart": dict(
        BART,
        norm_first=False,
        layer_norm_epsilon=1e-5,
        share_embeddings=True,
        attention_bias=True,
    ),
}
# What reads the settings of a model type, and what names its tensors.
READERS = {
    **dict.fromkeys(FAMILIES, fairseq_config),
    "t5": t5.config_of,
    **dict.fromkeys(causal_lm.FAMILIES, causal_lm.config_of),
}
TENSORS = {
    **dict.fromkeys(FAMILIES, names.tensors),
    "t5": t5.tensors,
    **causal_lm.TENSORS,
}
