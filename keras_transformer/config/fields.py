"""Fields of the configurations: their help, the range of their values, their checks."""

import dataclasses
import functools
import math
import numbers
import os
from typing import Literal, get_args, get_origin

LARGEST = 3e38  # that a float32 holds, nearly
LARGEST_COUNT = 2**31 - 1  # that an int32 holds


def expect(holds, name, expectation, received):
    """Raise a `ValueError` unless it holds that a named argument meets an expectation.

    Examples:
        >>> expect(0 > 0, "d_ff", "be at least 1", 0)
        Traceback (most recent call last):
        ValueError: d_ff must be at least 1; received 0
    """
    if not holds:
        raise refused(name, expectation, received)


def refused(name, expectation, received):
    """The `ValueError` of a named argument that does not meet an expectation."""
    return ValueError(f"{name} must {expectation}; received {received!r}")


def check_only(config, names):
    """Raise a `ValueError` if one of these fields would be ignored.

    The metadata `only` of a field says with which value of which other it counts.
    """
    for field in dataclasses.fields(config):
        only = field.metadata.get("only")
        if only and field.name in names:
            other, value = only
            counts = getattr(config, other) == value
            must = f"be absent without {other}={value!r}"
            expect(counts, field.name, must, getattr(config, field.name))


def expect_kind(name, value, kind, when=""):
    """Raise a `ValueError` with a value's class unless it is that kind."""
    found = type(value).__name__
    expect(isinstance(value, kind), name, f"be a {kind.__name__}{when}", found)


def expect_sizes(**sizes):
    """Raise a `ValueError` that names the first size that is no integer above 0."""
    for name, size in sizes.items():
        expect(type(size) is int, name, "be an integer of at least 1", size)
        expect(size >= 1, name, "be at least 1", size)


def is_number(value):
    """Whether a value is a real number; a boolean is none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def expect_share(name, value):
    """Raise a `ValueError` unless a value is a number from 0 to 1."""
    is_share = is_number(value) and 0 <= value <= 1
    expect(is_share, name, "lie between 0 and 1", value)


def expect_above_0(**values):
    """Raise a `ValueError` that names the first value that is no number above 0."""
    for name, value in values.items():
        expect(is_number(value), name, "be a number", value)
        expect(value > 0, name, "be above 0", value)
        expect(value < float("inf"), name, "be finite", value)


def expect_path(name, value):
    """Raise a `ValueError` unless a value is a path."""
    expect(isinstance(value, (str, os.PathLike)), name, "be a path", value)


def expect_id(name, value):
    """Raise a `ValueError` unless a value is an integer, or None."""
    is_id = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    expect(is_id or value is None, name, "be an integer id or None", value)


def one_of(name, value, known):
    """The value, if it is among those known; a `ValueError` otherwise."""
    expect(value in list(known), name, f"be one of {', '.join(known)}", value)
    return value


def option(default, help, least=-LARGEST, most=LARGEST, only=None):
    """A dataclass field: its help on the command line, and the range of its values.

    `only` is the other field, and its value, without which this one is ignored.
    """
    metadata = {"help": help, "range": (least, most), "only": only}
    return dataclasses.field(default=default, metadata=metadata)


count = functools.partial(option, least=1, most=LARGEST_COUNT)
whole = functools.partial(option, least=0, most=LARGEST_COUNT)
amount = functools.partial(option, least=0.0)
share = functools.partial(option, least=0.0, most=0.99)


def check_fields(config):
    """Raise a `ValueError` that names the first field of a wrong type or value."""
    for field in dataclasses.fields(config):
        name = field.name
        value = getattr(config, name)
        allowed = get_args(field.type) or (field.type,)
        if get_origin(field.type) is Literal:
            one_of(name, value, allowed)
            continue
        kinds = " or ".join(kind.__name__ for kind in allowed)
        kinds = kinds.replace("NoneType", "nothing")
        is_whole = float in allowed and type(value) is int
        expect(is_whole or type(value) in allowed, name, f"be {kinds}", value)
        if type(value) in (int, float):
            least, most = field.metadata["range"]
            is_finite = type(value) is int or math.isfinite(value)
            expect(is_finite, name, "be finite", value)
            limits = f"be between {least} and {most}"
            if most in (LARGEST, LARGEST_COUNT) and value < least:
                limits = f"be at least {least}"
            expect(least <= value <= most, name, limits, value)
