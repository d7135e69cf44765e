"""What a checkpoint's `config.json` says, as a `TransformerConfig`: one row of switches for each family."""

from keras_transformer.config import TransformerConfig

FAIRSEQ = dict(positions="sinusoidal_fairseq", first_position=2)
# How each family differs from the paper; all have biases, and layer norms of the same
# epsilon.
FAMILIES = {
    "marian": dict(positions="sinusoidal_halves", output_bias=True),
    "fsmt": dict(**FAIRSEQ),
    "m2m_100": dict(norm_first=True, **FAIRSEQ),
    "mbart": dict(
        norm_first=True,
        embedding_norm=True,
        positions="learned",
        share_positions=False,
        output_bias=True,
    ),
}
ALL = dict(attention_bias=True, layer_norm_epsilon=1e-5)
SAME_NAME = (
    "encoder_layers",
    "decoder_layers",
    "d_model",
    "dropout",
    "attention_dropout",
    "scale_embedding",
)
STACKS = ("encoder", "decoder")
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "swish": "silu", "silu": "silu"}
# In files of older versions.
ABSENT = {"attention_dropout": 0.0, "share_encoder_decoder_embeddings": True}


def transformer_config(config, sentence_format):
    """The `TransformerConfig` of a checkpoint.

    Args:
        config: the content of its `config.json`.
        sentence_format: the `SentenceFormat` of its tokenizers, for the ids.

    Raises:
        ValueError: if it is of no family that is known, lacks a setting, or has one
            that our model has not.
    """
    family = config.get("model_type")
    if not isinstance(family, str) or family not in FAMILIES:
        raise ValueError(
            f"model_type must be one of {', '.join(FAMILIES)}; received {family!r}"
        )
    config = {**ABSENT, "tie_word_embeddings": family != "fsmt", **config}
    missing = [name for name in needed(family) if name not in config]
    if missing:
        raise ValueError(f"config.json must have {', '.join(missing)}; it has not")
    heads, d_ffs = (
        [config[f"{stack}_{ending}"] for stack in STACKS]
        for ending in ("attention_heads", "ffn_dim")
    )
    if heads[0] != heads[1]:
        raise ValueError(
            f"encoder_attention_heads and decoder_attention_heads must be equal; received {heads[0]} and {heads[1]}"
        )
    activation = config["activation_function"]
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(
            f"activation_function must be one of {', '.join(ACTIVATIONS)}; received {activation!r}"
        )
    for name, ours in (
        ("pad_token_id", sentence_format.pad),
        ("eos_token_id", sentence_format.end),
    ):
        if config[name] != ours:
            raise ValueError(
                f"{name} must be the tokenizer's {ours}; received {config[name]!r}"
            )
    return TransformerConfig(
        **{name: config[name] for name in SAME_NAME},
        num_heads=heads[0],
        d_ff=d_ffs[0],
        decoder_d_ff=None if d_ffs[1] == d_ffs[0] else d_ffs[1],
        **vocabularies(family, config),
        activation=ACTIVATIONS[activation],
        max_positions=config["max_position_embeddings"],
        pad_id=sentence_format.pad,
        begin_id=sentence_format.begin,
        end_id=sentence_format.end,
        **FAMILIES[family],
        **ALL,
    )


def needed(family):
    """The settings that a family's `config.json` must have."""
    stacks = [
        f"{stack}_{ending}"
        for stack in STACKS
        for ending in ("attention_heads", "ffn_dim")
    ]
    sizes = (
        ("src_vocab_size", "tgt_vocab_size") if family == "fsmt" else ("vocab_size",)
    )
    others = (
        "activation_function",
        "max_position_embeddings",
        "pad_token_id",
        "eos_token_id",
    )
    return (*SAME_NAME, *stacks, *sizes, *others)


def vocabularies(family, config):
    """The sizes of the vocabularies, and which of the three matrices are one."""
    tied = config["tie_word_embeddings"]
    if family == "fsmt":
        sizes = config["src_vocab_size"], config["tgt_vocab_size"]
        shared = tied  # of one matrix, its decoder's
    else:
        shared = family != "marian" or config["share_encoder_decoder_embeddings"]
        sizes = config["vocab_size"], config["vocab_size"]
        if not shared:
            sizes = (
                config["vocab_size"],
                config.get("decoder_vocab_size") or config["vocab_size"],
            )
        if shared and not tied:
            raise ValueError(
                "tie_word_embeddings must be true where source and target share a matrix; received False"
            )
    names = ("source_vocab_size", "target_vocab_size", "share_embeddings", "tie_output")
    return dict(zip(names, (*sizes, shared, tied)))
