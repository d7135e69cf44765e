"""The configuration as flags and as a TOML file, and the flags of several commands."""

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
    "model": TransformerConfig,
    "data": DataConfig,
    "training": TrainingConfig,
}
TRAIN_FILES = {
    "source": "source sentences, one a line (plain or .gz), or a .tsv of both sides",
    "target": "their translations, line by line",
    "valid_source": "held-out source sentences",
    "valid_target": "their translations",
}


def add_run(parser, help="directory that train, demo or import made", **options):
    """Add RUN."""
    parser.add_argument("run", metavar="RUN", help=help, **options)


def add_options(parser, helps, **options):
    """Add flags that differ only in their name and in what --help says of them."""
    for name, text in helps.items():
        name = name.replace("_", "-")
        parser.add_argument(f"--{name}", help=text, **options)


def add_overwrite(parser):
    """Add --overwrite."""
    helps = {"overwrite": "replace the directory if it exists"}
    add_options(parser, helps, action="store_true")


def add_config_flags(parser, config, title):
    """Add a flag for each field of a config dataclass that may be chosen.

    The parsed options hold only the fields that the user chose.
    """
    group = parser.add_argument_group(title)
    for field in flag_fields(config):
        text = field.metadata["help"]
        # The defaults of a model come from its preset.
        if config is not TransformerConfig and field.default is not None:
            text += f" (default: {field.default})"
        helps = {field.name: text.replace("%", "%%")}
        how = value_options(field.type)
        add_options(group, helps, default=argparse.SUPPRESS, **how)


def flag_fields(config):
    """The fields of a config dataclass that may be chosen."""
    hidden = NO_FLAGS if config is TransformerConfig else ()
    fields = dataclasses.fields(config)
    return [field for field in fields if field.name not in hidden]


def value_options(kind):
    """How argparse reads a value of a field's type."""
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if type(None) in get_args(kind):  # `int | None`: a flag gives a number
        kind = get_args(kind)[0]
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": kind, "metavar": kind.__name__.upper()}


def chosen_fields(options, config):
    """The fields of a config dataclass that the command line sets."""
    names = {field.name for field in flag_fields(config)}
    return {name: value for name, value in vars(options).items() if name in names}


def read_toml(path):
    """The settings of a --config file.

    Its top level has the names of `TRAIN_FILES`, `preset`, and a table for each of
    `TRAIN_GROUPS`.

    Raises:
        ValueError: if it is no TOML, or has an unknown key or a value of a wrong type.
    """
    try:
        settings = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"config {path!r} is not valid TOML: {error}") from None
    where = f"config {path!r}"
    names = [*TRAIN_FILES, "preset"]
    check_names(where, settings, [*names, *TRAIN_GROUPS])
    for name, value in settings.items():
        kind, article = (str, "a string") if name in names else (dict, "a table")
        if not isinstance(value, kind):
            raise ValueError(f"{where}: {name} must be {article}; received {value!r}")
        if name in TRAIN_GROUPS:
            fields = [field.name for field in flag_fields(TRAIN_GROUPS[name])]
            check_names(f"{where}: [{name}]", value, fields)
    return settings


def check_names(where, settings, known):
    """Raise a `ValueError` if settings have a name that is not known."""
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise ValueError(
            f"{where} has unknown settings {unknown}; known: {', '.join(known)}"
        )
