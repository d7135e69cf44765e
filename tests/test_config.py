"""The settings: their defaults are the paper's, and bad ones are refused by name."""

import dataclasses
import re
from typing import get_args

import pytest

from keras_transformer.config import (
    PRESETS,
    SIZES,
    CausalLMConfig,
    DataConfig,
    DecodingConfig,
    EncoderConfig,
    TrainingConfig,
    TransformerConfig,
    preset,
    resized,
)

CONFIGS = (TransformerConfig, DataConfig, TrainingConfig, DecodingConfig)
POSITIONS = (
    "be one of sinusoidal, sinusoidal_halves, sinusoidal_fairseq, learned, none, "
    "rotary, relative"
)
# What each value breaks.
REFUSED = {
    TransformerConfig: [
        ("norm_first", "pre", "be bool"),
        ("activation", "tanh", "be one of relu, gelu, gelu_tanh, silu"),
        ("num_heads", 2.5, "be int"),
        ("num_heads", True, "be int"),
        ("dropout", "0.1", "be float"),
        ("key_dim", "64", "be int or nothing"),
        ("attention_bias", 1, "be bool"),
        ("d_ff", 0, "be at least 1"),
        ("value_dim", 0, "be at least 1"),
        ("dropout", 1.0, "be between 0.0 and 0.99"),
        ("layer_norm_epsilon", -1e-6, "be between 0.0 and 1.0"),
        ("num_heads", 7, "d_model must be a multiple of num_heads=7; received 512"),
        ("source_vocab_size", 9, "be equal with share_embeddings; received (9, 8000)"),
        ("positions", "alibi", POSITIONS),
        ("first_position", -1, "be at least 0"),
        ("num_key_value_heads", 3, "divide num_heads=8"),
        ("rotary_base", 0.5, "be at least 1.0"),
        ("relative_buckets", 6, "be a multiple of 4, and at least 4"),
        ("relative_distance", 16, "be above relative_buckets / 2 = 16"),
        ("final_norm", 1, "be bool or nothing"),
        ("pad_id", 8000, "be between 0 and 7999"),
        ("end_id", 0, "pad_id must not be end_id; received 0"),
        ("d_model", 15, "be a multiple of num_heads=8"),
    ],
    DataConfig: [
        ("vocab_size", 7, "be between 8 and 1000000"),
        ("max_length", 1, "be between 2 and 100000"),
        ("max_ratio", 0.5, "be at least 1.0"),
        ("batch_tokens", 0, "be at least 1"),
    ],
    TrainingConfig: [
        ("patience", 0, "be at least 1"),
        ("max_minutes", -1, "be at least 0.0"),
        ("max_minutes", 0, "be above 0"),
        ("learning_rate_scale", 0, "be above 0"),
        ("clip_norm", -1.0, "be above 0"),
        ("label_smoothing", 1, "be between 0.0 and 0.99"),
        ("dtype", "bfloat16", "be one of float32, mixed_bfloat16, mixed_float16"),
        ("seed", 2**32, "be between 0 and 4294967295"),
    ],
    DecodingConfig: [
        ("beam", 0, "be between 1 and 1000"),
        ("length_penalty", -0.1, "be between 0.0 and 5.0"),
        ("extra_length", 2**31, "be between 0 and 100000"),
        ("seed", 2**32, "be between 0 and 4294967295"),
        ("temperature", 0.0, "be at least 0.001"),
        ("top_p", 1.5, "be between 1e-06 and 1.0"),
        ("top_k", -1, "be at least 0"),
        ("batch_size", 0, "be between 1 and 1000000"),
        ("max_source_length", 1, "be between 2 and 100000"),
        ("n_best", 5, "be at most 4 with search='beam'"),
    ],
}


@pytest.mark.parametrize("config", CONFIGS)
def test_frozen_and_every_field_explained(config):
    fields = dataclasses.fields(config())
    assert all(len(field.metadata["help"]) > 3 for field in fields)
    assert config(**dataclasses.asdict(config())) == config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config(), fields[0].name, 1)


def test_presets():
    assert preset("base") == TransformerConfig()
    sizes = {
        name: tuple(getattr(preset(name), size) for size in SIZES[:-1])
        for name in PRESETS
    }
    assert sizes == {
        "tiny": (4, 4, 128, 256, 4),
        "small": (3, 3, 256, 512, 8),
        "base": (6, 6, 512, 2048, 8),
        "big": (6, 6, 1024, 4096, 16),
    }
    assert preset("tiny").dropout == preset("big").dropout == 0.3
    model = preset("tiny", CausalLMConfig, norm_first=True)
    small = preset("small", CausalLMConfig, norm_first=True, dropout=model.dropout)
    assert resized(model, "small") == small
    changed = preset("tiny", dropout=0.1, source_vocab_size=8000)
    assert changed == dataclasses.replace(preset("tiny"), dropout=0.1)
    alone = preset("small", EncoderConfig, vocab_size=11)
    assert (alone.num_layers, alone.d_model, alone.vocab_size) == (3, 256, 11)
    message = "preset must be one of tiny, small, base, big; received 'huge'"
    with pytest.raises(ValueError, match=message):
        preset("huge")


@pytest.mark.parametrize(
    "config, paper",
    [
        (TransformerConfig, dict(dropout=0.1, norm_first=False, activation="relu")),
        (TransformerConfig, dict(positions="sinusoidal", attention_bias=False)),
        (TransformerConfig, dict(attention_dropout=0.0, layer_norm_epsilon=1e-6)),
        (TrainingConfig, dict(warmup_updates=4000, learning_rate_scale=1.0)),
        (TrainingConfig, dict(label_smoothing=0.1)),
        (DecodingConfig, dict(search="beam", beam=4, length_penalty=0.6)),
        (DecodingConfig, dict(extra_length=50)),
    ],
)
def test_the_paper_is_the_default(config, paper):
    assert paper.items() <= dataclasses.asdict(config()).items()


@pytest.mark.parametrize(
    "config, field, value, expectation",
    [(config, *case) for config, cases in REFUSED.items() for case in cases],
)
def test_errors_name_field_expectation_and_value(config, field, value, expectation):
    message = expectation
    if "received" not in expectation:
        message = f"{field} must {expectation}; received {value!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        config(**{field: value})


NUMBERS = [
    (config, field.name)
    for config in CONFIGS
    for field in dataclasses.fields(config)
    if {int, float} & {field.type, *get_args(field.type)}
]


@pytest.mark.parametrize("config, name", NUMBERS)
def test_every_number_is_one_and_finite(config, name):
    for value in (float("inf"), -float("inf"), float("nan"), 10**400, True, "2"):
        with pytest.raises(ValueError, match=f"{name} must be .*; received "):
            config(**{name: value})


@pytest.mark.parametrize(
    "allowed, refused, message",
    [
        (
            dict(num_heads=7, key_dim=64, value_dim=64),
            dict(num_heads=7, key_dim=64),
            "d_model must be a multiple of num_heads=7; received 512",
        ),
        (
            dict(d_model=15, num_heads=3, positions="learned"),
            dict(d_model=15, num_heads=3),
            "must be even and at least 2 with positions='sinusoidal'; received 15",
        ),
        (
            dict(positions="sinusoidal", first_position=2),
            dict(positions="learned", first_position=2),
            "first_position must be 0 with positions='learned'; received 2",
        ),
        (
            dict(positions="sinusoidal_halves", first_position=2),
            dict(positions="rotary", first_position=2),
            "first_position must be 0 with positions='rotary'; received 2",
        ),
        (
            dict(positions="sinusoidal", d_model=2, num_heads=1),
            dict(positions="sinusoidal_fairseq", d_model=2, num_heads=1),
            "at least 4 with positions='sinusoidal_fairseq'; received 2",
        ),
    ],
)
def test_fields_that_go_together(allowed, refused, message):
    TransformerConfig(**allowed)
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**refused)


@pytest.mark.parametrize(
    "ids, never",
    [
        ({}, (0, 2)),
        (dict(pad_id=7, begin_id=7, end_id=0), (7,)),  # Marian
        (dict(pad_id=1, begin_id=2, end_id=2), (1,)),  # fairseq
    ],
)
def test_what_is_never_generated(ids, never):
    assert TransformerConfig(**ids).special.never_generated == never


def test_greedy_has_one_best():
    message = "n_best must be at most 1 with search='greedy'; received 2"
    with pytest.raises(ValueError, match=message):
        DecodingConfig(search="greedy", n_best=2)
    assert DecodingConfig(search="sampling", n_best=9).n_best == 9


def test_nothing_is_accumulated_in_float16():
    """Where a batch overflows, its place in the sum would be the next one's."""
    assert TrainingConfig(dtype="mixed_bfloat16", gradient_accumulation=2)
    message = "gradient_accumulation must be 1 with dtype='mixed_float16'; received 2"
    with pytest.raises(ValueError, match=message):
        TrainingConfig(dtype="mixed_float16", gradient_accumulation=2)


def test_whole_numbers_pass_for_floats():
    assert TrainingConfig(learning_rate_scale=2, max_minutes=3).max_minutes == 3
