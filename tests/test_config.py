import dataclasses

import pytest

from keras_transformer.config import (
    PRESETS,
    DataConfig,
    DecodingConfig,
    TrainingConfig,
    TransformerConfig,
    preset,
)

CONFIGS = (TransformerConfig, DataConfig, TrainingConfig, DecodingConfig)


@pytest.mark.parametrize("config", CONFIGS)
def test_frozen_and_every_field_explained(config):
    fields = dataclasses.fields(config())
    assert all(len(field.metadata["help"]) > 3 for field in fields)
    assert config(**dataclasses.asdict(config())) == config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config(), fields[0].name, 1)


def test_presets():
    assert preset("base") == TransformerConfig()
    sizes = {name: dataclasses.astuple(preset(name))[3:8] for name in PRESETS}
    assert sizes["tiny"] == (4, 4, 128, 256, 4) and sizes["small"] == (
        3,
        3,
        256,
        512,
        8,
    )
    assert sizes["base"] == (6, 6, 512, 2048, 8) and sizes["big"] == (
        6,
        6,
        1024,
        4096,
        16,
    )
    assert preset("tiny").dropout == preset("big").dropout == 0.3
    assert preset("tiny", dropout=0.1, source_vocab_size=8000) == dataclasses.replace(
        preset("tiny"), dropout=0.1
    )
    with pytest.raises(
        ValueError,
        match="preset must be one of tiny, small, base, big; received 'huge'",
    ):
        preset("huge")


def test_the_paper_is_the_default():
    model, recipe, search = TransformerConfig(), TrainingConfig(), DecodingConfig()
    assert (model.dropout, model.norm_first, model.positions, model.activation) == (
        0.1,
        "post",
        "sinusoidal",
        "relu",
    )
    assert (
        model.attention_dropout,
        model.attention_bias,
        model.layer_norm_epsilon,
    ) == (0.0, False, 1e-6)
    assert (
        recipe.warmup_updates,
        recipe.label_smoothing,
        recipe.learning_rate_scale,
    ) == (4000, 0.1, 1.0)
    assert (search.search, search.beam, search.length_penalty, search.extra_length) == (
        "beam",
        4,
        0.6,
        50,
    )


@pytest.mark.parametrize(
    "config, field, value, message",
    [
        (
            TransformerConfig,
            "norm",
            "sandwich",
            r"norm must be one of \('post', 'pre'\); received 'sandwich'",
        ),
        (
            TransformerConfig,
            "activation",
            "tanh",
            "activation must be one of .*; received 'tanh'",
        ),
        (TransformerConfig, "num_heads", 2.5, "heads must be int; received 2.5"),
        (TransformerConfig, "num_heads", True, "heads must be int; received True"),
        (TransformerConfig, "dropout", "0.1", "dropout must be float; received '0.1'"),
        (
            TransformerConfig,
            "key_dim",
            "64",
            "key_dim must be int or nothing; received '64'",
        ),
        (
            TransformerConfig,
            "attention_bias",
            1,
            "attention_bias must be bool; received 1",
        ),
        (TransformerConfig, "d_ff", 0, "d_ff must be at least 1; received 0"),
        (
            TransformerConfig,
            "value_dim",
            0,
            "value_dim must be at least 1; received 0",
        ),
        (
            TransformerConfig,
            "dropout",
            1.0,
            "dropout must be between 0.0 and 0.99; received 1.0",
        ),
        (
            TransformerConfig,
            "layer_norm_epsilon",
            -1e-6,
            "layer_norm_epsilon must be between 0.0 and 1.0",
        ),
        (
            TransformerConfig,
            "num_heads",
            7,
            "d_model must be a multiple of num_heads=7; received 512",
        ),
        (
            TransformerConfig,
            "source_vocab_size",
            9,
            "share_embeddings needs .* equal; received 9 and 8000",
        ),
        (
            TransformerConfig,
            "positions",
            "rotary",
            "positions must be one of .*; received 'rotary'",
        ),
        (
            TransformerConfig,
            "first_position",
            -1,
            "first_position must be at least 0; received -1",
        ),
        (
            TransformerConfig,
            "final_norm",
            1,
            "final_norm must be bool or nothing; received 1",
        ),
        (
            TransformerConfig,
            "pad_id",
            8000,
            "pad_id must be between 0 and 7999; received 8000",
        ),
        (
            TransformerConfig,
            "end_id",
            0,
            "pad_id must not be end_id; received 0 for both",
        ),
        (
            DataConfig,
            "vocab_size",
            7,
            "vocab_size must be between 8 and 1000000; received 7",
        ),
        (
            DataConfig,
            "max_length",
            1,
            "max_length must be between 2 and 100000; received 1",
        ),
        (DataConfig, "max_ratio", 0.5, "max_ratio must be at least 1.0; received 0.5"),
        (DataConfig, "batch_tokens", 0, "batch_tokens must be at least 1; received 0"),
        (TrainingConfig, "patience", 0, "patience must be at least 1; received 0"),
        (
            TrainingConfig,
            "max_minutes",
            -1,
            "max_minutes must be at least 0.0; received -1",
        ),
        (
            TrainingConfig,
            "learning_rate_scale",
            0,
            "learning_rate_scale must be above 0; received 0",
        ),
        (TrainingConfig, "clip_norm", -1.0, "clip_norm must be above 0; received -1.0"),
        (
            TrainingConfig,
            "label_smoothing",
            1,
            "label_smoothing must be between 0.0 and 0.99; received 1",
        ),
        (
            TrainingConfig,
            "dtype",
            "bfloat16",
            "dtype must be one of .*; received 'bfloat16'",
        ),
        (DecodingConfig, "beam", 0, "beam must be between 1 and 1000; received 0"),
        (
            DecodingConfig,
            "length_penalty",
            -0.1,
            "length_penalty must be at least 0.0; received -0.1",
        ),
        (
            DecodingConfig,
            "temperature",
            0.0,
            "temperature must be at least 0.001; received 0.0",
        ),
        (TransformerConfig, "d_model", 15, "d_model must be .*; received 15"),
        (
            TrainingConfig,
            "seed",
            2**32,
            "seed must be between 0 and 4294967295; received 4294967296",
        ),
        (
            DecodingConfig,
            "top_p",
            1.5,
            "top_p must be between 1e-06 and 1.0; received 1.5",
        ),
        (
            DecodingConfig,
            "batch_size",
            0,
            "batch_size must be between 1 and 1000000; received 0",
        ),
        (
            DecodingConfig,
            "max_source_length",
            1,
            "max_source_length must be between 2 and 100000; received 1",
        ),
        (
            DecodingConfig,
            "n_best",
            5,
            "n_best must be at most 4 with search='beam'; received 5",
        ),
    ],
)
def test_errors_name_field_expectation_and_value(config, field, value, message):
    with pytest.raises(ValueError, match=message):
        config(**{field: value})


def test_head_sizes_of_ones_own_need_no_multiple():
    assert TransformerConfig(num_heads=7, key_dim=64, value_dim=64).d_model == 512
    with pytest.raises(ValueError, match="d_model must be a multiple"):
        TransformerConfig(num_heads=7, key_dim=64)


def test_a_sinusoidal_table_needs_an_even_width():
    assert TransformerConfig(d_model=15, num_heads=3, positions="learned").d_model == 15
    with pytest.raises(
        ValueError,
        match="d_model must be even with positions='sinusoidal'; received 15",
    ):
        TransformerConfig(d_model=15, num_heads=3)


def test_tables_that_do_not_go_with_it():
    with pytest.raises(
        ValueError,
        match="first_position must be 0 with positions='learned'; received 2",
    ):
        TransformerConfig(positions="learned", first_position=2)
    with pytest.raises(
        ValueError,
        match="d_model must be at least 4 with positions='sinusoidal_fairseq'; received 2",
    ):
        TransformerConfig(positions="sinusoidal_fairseq", d_model=2, num_heads=1)


def test_what_is_never_generated():
    assert TransformerConfig().special.never_generated == (0, 2)
    # Marian.
    assert TransformerConfig(pad_id=7, begin_id=7, end_id=0).special.never_generated == (7,)
    # Fairseq.
    assert TransformerConfig(pad_id=1, begin_id=2, end_id=2).special.never_generated == (1,)


def test_greedy_has_one_best():
    with pytest.raises(
        ValueError, match="n_best must be at most 1 with search='greedy'; received 2"
    ):
        DecodingConfig(search="greedy", n_best=2)
    assert DecodingConfig(search="sampling", n_best=9).n_best == 9


def test_whole_numbers_pass_for_floats():
    assert TrainingConfig(learning_rate_scale=2, max_minutes=3).max_minutes == 3
