"""The configuration on the command line: a flag for every field of its dataclasses, a TOML file of the same names."""

import argparse
import dataclasses
import tomllib
from pathlib import Path
from typing import Literal, get_args, get_origin

from keras_transformer.config import (
    NO_FLAGS,
    DataConfig,
    TrainingConfig,
    TransformerConfig,
)

TRAIN_GROUPS = {
    "model": (TransformerConfig, "model (replaces the preset's value)"),
    "data": (DataConfig, "data"),
    "training": (TrainingConfig, "training"),
}
TRAIN_FILES = {
    "source": "source sentences, one a line (plain or .gz), or both sides in one .tsv file",
    "target": "their translations, line by line",
    "valid_source": "held-out source sentences",
    "valid_target": "their translations",
}


def add_config_flags(parser, kind, title):
    """A flag for every field of a config dataclass, absent from the parsed options unless given."""
    group = parser.add_argument_group(title)
    for field in dataclasses.fields(kind):
        if field.name in NO_FLAGS:
            continue
        choices = get_args(field.type) if get_origin(field.type) is Literal else None
        value_type = (
            next(iter(get_args(field.type)), field.type) if choices is None else str
        )
        how = dict(
            type=value_type,
            choices=choices,
            metavar=None if choices else value_type.__name__.upper(),
        )
        if value_type is bool:
            how = dict(action=argparse.BooleanOptionalAction)
        default = "" if field.default is None else f" (default: {field.default})"
        if kind is TransformerConfig:
            default = ""  # the preset decides
        help = (field.metadata["help"] + default).replace("%", "%%")
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            default=argparse.SUPPRESS,
            help=help,
            **how,
        )


def given(options, kind):
    """The fields of a config dataclass that the command line set."""
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in vars(options).items() if name in names}


def read_toml(path):
    """The settings of a `--config` file: top level and one table for each group, every key checked."""
    try:
        settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"config {path!r} is not valid TOML: {error}") from None
    known = {
        name: {field.name for field in dataclasses.fields(kind)}
        for name, (kind, _) in TRAIN_GROUPS.items()
    }
    for key, value in settings.items():
        if key not in (*TRAIN_FILES, "preset", *known):
            raise ValueError(
                f"config {path!r} has an unknown key {key!r}; known: {', '.join([*TRAIN_FILES, 'preset', *known])}"
            )
        if key in known and (
            not isinstance(value, dict)
            or set(value) - known[key] | set(value) & set(NO_FLAGS)
        ):
            wrong = (
                sorted(set(value) - known[key] | set(value) & set(NO_FLAGS))
                if isinstance(value, dict)
                else value
            )
            raise ValueError(f"config {path!r}: [{key}] has unknown settings {wrong}")
        if key not in known and not isinstance(value, str):
            raise ValueError(
                f"config {path!r}: {key} must be a string; received {value!r}"
            )
    return settings
