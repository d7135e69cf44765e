"""A checkpoint's `config.json` as a `TransformerConfig`: switches of each family."""

from ..config import TransformerConfig, expect, one_of
from . import causal_lm, names, t5
from .settings import Settings, written

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
# Our fields, and what config.json calls them.
FIELDS = {
    "encoder_layers": "encoder_layers",
    "decoder_layers": "decoder_layers",
    "d_model": "d_model",
    "d_ff": "encoder_ffn_dim",
    "num_heads": "encoder_attention_heads",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "activation": "activation_function",
    "scale_embedding": "scale_embedding",
    "max_positions": "max_position_embeddings",
}
# In files of older versions.
ABSENT = {"attention_dropout": 0.0, "share_encoder_decoder_embeddings": True}


def transformer_config(config, special, tensors=()):
    """The config of a checkpoint, by its `config.json` and its tensors' names.

    Raises:
        ValueError: if it lacks a setting, or has one that our model has not.
    """
    family = one_of("model_type", config.get("model_type"), READERS)
    return READERS[family](Settings(config), special, tensors)


def fairseq_config(config, special, tensors):
    """The `TransformerConfig` of one of `FAMILIES`."""
    family = config["model_type"]
    tied = {"tie_word_embeddings": family != "fsmt"}
    config = config.with_defaults(ABSENT | tied)
    fields = config.fields(FIELDS)
    heads = fields["num_heads"]
    others = config["decoder_attention_heads"]
    must = f"be the encoder's {heads}"
    expect(heads == others, "decoder_attention_heads", must, others)
    decoder_d_ff = config["decoder_ffn_dim"]
    if decoder_d_ff == fields["d_ff"]:
        decoder_d_ff = None
    return TransformerConfig(
        **fields,
        **MATRICES.get(family, one_matrix)(config),
        decoder_d_ff=decoder_d_ff,
        attention_bias=True,
        layer_norm_epsilon=1e-5,
        **special.fields,
        **FAMILIES[family],
    )


def one_matrix(config):
    """The fields of a model that has one matrix for source, target and output."""
    tied = config["tie_word_embeddings"]
    must = "be true where source and target share a matrix"
    expect(tied, "tie_word_embeddings", must, tied)
    size = config["vocab_size"]
    return vocabulary_fields(size, size, shared=True, tied=True)


def marian_matrices(config):
    """The same for Marian, which may have a vocabulary for each side."""
    if config["share_encoder_decoder_embeddings"]:
        return one_matrix(config)
    source = config["vocab_size"]
    target = config.get("decoder_vocab_size") or source
    tied = config["tie_word_embeddings"]
    return vocabulary_fields(source, target, shared=False, tied=tied)


def fsmt_matrices(config):
    """The same for FSMT, whose `tie_word_embeddings` is of all three matrices."""
    source = config["src_vocab_size"]
    target = config["tgt_vocab_size"]
    tied = config["tie_word_embeddings"]
    return vocabulary_fields(source, target, shared=tied, tied=tied)


def vocabulary_fields(source, target, shared, tied):
    """The fields for the sizes of vocabularies, and for which matrices are one."""
    return dict(
        source_vocab_size=source,
        target_vocab_size=target,
        share_embeddings=shared,
        tie_output=tied,
    )


# Of the families that may have several.
MATRICES = {"marian": marian_matrices, "fsmt": fsmt_matrices}


def fairseq_settings(config):
    """What `config.json` of one of `FAMILIES` says of sizes and switches."""
    decoder_d_ff = config.side("target").d_ff
    return {
        **written(config, FIELDS),
        "decoder_ffn_dim": decoder_d_ff,
        "decoder_attention_heads": config.num_heads,
        "vocab_size": config.source_vocab_size,
        "decoder_vocab_size": config.target_vocab_size,
        "share_encoder_decoder_embeddings": config.share_embeddings,
        "tie_word_embeddings": config.tie_output,
    }


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
