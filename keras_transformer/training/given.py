"""What `train` is given, checked by kind."""

from ..config import (
    CausalLMConfig,
    DataConfig,
    TrainingConfig,
    expect,
    expect_kind,
    preset,
)
from ..data.pairs import read_pairs

PAIRS = (
    "pairs",
    "source",
    "target",
    "valid_pairs",
    "valid_source",
    "valid_target",
)


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


def corpora_given(is_text, given, text, valid_text):
    """What to train on and what to validate with: `Pairs`, or paths of text.

    `given` are the arguments that `PAIRS` names.
    """
    if is_text:
        for name, value in zip(PAIRS, given):
            expect(value is None, name, "be absent with text", value)
        return as_paths(text), as_paths(valid_text)
    what = "be absent without text"
    expect(valid_text is None, "valid_text", what, valid_text)
    return pairs_given(*given[:3]), pairs_given(*given[3:], "valid_")


def pairs_given(pairs, source, target, prefix=""):
    """The `Pairs` of some arguments of `train`; None without any."""
    name = f"{prefix}source"
    expect(target is None or source is not None, name, "be given with a target", source)
    expect(
        pairs is None or source is None,
        f"{prefix}pairs",
        f"be absent with {name}",
        pairs,
    )
    if pairs is source is None:
        return None
    if pairs is None:
        return read_pairs(source, target, name=name)
    return read_pairs(pairs, name=f"{prefix}pairs")


def as_paths(given):
    """A list of paths, of one or several; None stays None."""
    if given is None or isinstance(given, (list, tuple)):
        return given
    return [given]
