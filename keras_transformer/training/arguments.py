"""Checks of the arguments of `train`."""

from ..config import (
    CausalLMConfig,
    DataConfig,
    TrainingConfig,
    expect,
    expect_kind,
    preset,
)
from ..data.pairs import read_pairs


def settings_given(kind, model, data, training):
    """The configs of model, data and training; None for those that are absent."""
    if isinstance(model, str):
        model = preset(model, kind)
    when = " with text" if kind is CausalLMConfig else " without text"
    if model is not None:
        expect_kind("model", model, kind, when)
    if data is not None:
        expect_kind("data", data, DataConfig)
    if training is not None:
        expect_kind("training", training, TrainingConfig)
    return model, data, training


def corpora_given(is_text, text, valid_text, **of_pairs):
    """The corpora to train on and to validate with: `Pairs`, or paths of text.

    `of_pairs` are `pairs`, `source` and `target`, and the same with `valid_`.
    """
    if is_text:
        for name, value in of_pairs.items():
            expect(value is None, name, "be absent with text", value)
        return as_paths(text), as_paths(valid_text)
    what = "be absent without text"
    expect(valid_text is None, "valid_text", what, valid_text)
    return pairs_given("", of_pairs), pairs_given("valid_", of_pairs)


def pairs_given(prefix, arguments):
    """The `Pairs` of the arguments whose names have a prefix; None without any."""
    pairs = arguments[f"{prefix}pairs"]
    source = arguments[f"{prefix}source"]
    target = arguments[f"{prefix}target"]
    name = f"{prefix}source"
    expect(target is None or source is not None, name, "be given with a target", source)
    is_one = pairs is None or source is None
    expect(is_one, f"{prefix}pairs", f"be absent with {name}", pairs)
    if pairs is not None:
        return read_pairs(pairs, name=f"{prefix}pairs")
    if source is not None:
        return read_pairs(source, target, name=name)
    return None


def as_paths(given):
    """A list of paths, of one or several; None stays None."""
    if given is None or isinstance(given, (list, tuple)):
        return given
    return [given]
