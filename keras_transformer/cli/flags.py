"""The flags of several commands; the configuration as flags and as a TOML file.

A command lists its flags as argparse takes them: `{"--port": {"type": int, ...}}`.
"""

import argparse
import tomllib
from typing import Literal, get_args, get_origin

from ..config import (
    CausalLMConfig,
    DataConfig,
    StackConfig,
    TrainingConfig,
    TransformerConfig,
    expect,
    flag_fields,
)
from ..process.flag_names import flag
from ..runs.sealed_files import read_regular
from ..text.opened import readable


class Runs(argparse.Action):
    """Keeps the first RUN as `run`, and those that follow as `others`."""

    def __call__(self, parser, options, paths, flag=None):
        options.run, *options.others = paths


RUN = {"run": dict(metavar="RUN", help="what train, demo or import made")}
SEVERAL_RUNS = {
    "run": dict(
        metavar="RUN",
        nargs="+",
        action=Runs,
        help="what train, demo or import made; several translate together",
    )
}
NEW_RUN = {"run": dict(metavar="RUN", help="directory to make")}
OVERWRITE = {"--overwrite": dict(action="store_true", help="replace RUN if it exists")}
JSON = {"--json": dict(action="store_true", help="print one JSON object")}
TRAIN_GROUPS = {
    "model": TransformerConfig,
    "data": DataConfig,
    "training": TrainingConfig,
}
# Fields that `train` fits to the corpus where they are not chosen.
FITTED = (
    "dropout",
    "norm_first",
    "vocab_size",
    "batch_tokens",
    "warmup_updates",
    "learning_rate_scale",
    "weight_decay",
    "ema_momentum",
    "gradient_accumulation",
    "epochs",
    "max_updates",
    "patience",
)
PAIRS = "files of both sides: .tsv, .csv, .jsonl, .parquet, .po, .tmx, .xliff, folder"
TRAIN_FILES = {
    "source": "source sentences, one a line; also as .gz, .xz, .zst",
    "target": "their translations, line by line",
    "pairs": f"{PAIRS}, .zip, .tar ...",
    "valid_source": "held-out source sentences (default: drawn from the pairs)",
    "valid_target": "their translations",
    "valid_pairs": "held-out pairs, instead of these two",
}
# How both sides are found.
SIDES = {
    "source_language": "code of the source's language, where there are several",
    "target_language": "code of the target's",
    "columns": "two columns, by names or numbers: en,es",
}
# Of each file of pairs, or of source and target.
MIXING = {
    "weights": "how often to learn each file's pairs in an epoch, such as 1 0.5",
    "tags": 'text before each source sentence of each file, such as "" "<BT>"',
}

TEXT_FILES = {
    "text": "text of a language model, a document a line, in place of --source",
    "valid_text": "held-out text",
}
# Of these a settings file may have lists.
OF_PAIRS = (*TRAIN_FILES, *SIDES, *MIXING)
OF_CORPORA = (*OF_PAIRS, *TEXT_FILES)
SEVERAL = (*TRAIN_FILES, *TEXT_FILES, "columns")
MAY_BE_EMPTY = ("prefix", "stop", "tags")
FILES = dict(nargs="+", action="extend", metavar="FILE", default=argparse.SUPPRESS)
# Bytes: one long key of many parts takes a second already.
LARGEST_TOML = 1 << 14


def file_flags(names):
    """The flags of some of `TRAIN_FILES`, and of `SIDES`; each has no default."""
    flags = {flag(name): dict(help=TRAIN_FILES[name], **FILES) for name in names}
    for name, text in SIDES.items():
        metavar = "NAMES" if name == "columns" else "CODE"
        flags[flag(name)] = dict(
            help=text, dest=name, default=argparse.SUPPRESS, metavar=metavar
        )
    return flags


def pairs_chosen(chosen, prefix="", pairs_name=None):
    """The `Pairs` of the files that are chosen, or None.

    `pairs_name` is what the command calls `pairs` if it is no flag.
    """
    from ..data.pairs import read_pairs

    names = [f"{prefix}{name}" for name in ("source", "target", "pairs")]
    source, target, pairs = map(chosen.get, names)
    expect(not (source and pairs), names[2], f"be absent with {flag(names[0])}", pairs)
    if not (source or pairs):
        for name in () if prefix else ("target", *SIDES):
            value = chosen.get(name)
            expect(value is None, name, "be absent without --source and --pairs", value)
        return None
    columns = chosen.get("columns")
    if isinstance(columns, str):
        columns = columns.split(",")
    languages = map(chosen.get, ("source_language", "target_language"))
    name = names[0]
    if pairs:
        name = pairs_name or names[2]
    return read_pairs(source or pairs, target, columns, *languages, name=name)


def mixing_flags():
    """The flags of a mixture of files."""
    kinds = {"weights": dict(type=float, metavar="WEIGHT"), "tags": dict(metavar="TAG")}
    return {
        flag(name): FILES | dict(help=text) | kinds[name]
        for name, text in MIXING.items()
    }


def mixture_chosen(chosen):
    """The `Pairs` of the files that are chosen, mixed by their weights and tags."""
    from ..data.mixture import mix_pairs
    from ..data.pairs import listed

    pairs = pairs_chosen(chosen)
    mixing = {name: chosen[name] for name in MIXING if name in chosen}
    if pairs is None or not mixing:
        return pairs
    names = [name for name in ("source", "target", "pairs") if name in chosen]
    sides = [listed(chosen[name]) for name in names]
    corpora = []
    for files in zip(*sides, strict=True):
        corpora.append(pairs_chosen({**chosen, **dict(zip(names, files))}))
    settings = {**chosen.get("training", {}), **chosen}
    seed = settings.get("seed", TrainingConfig.seed)
    return mix_pairs(corpora, **mixing, seed=seed)


def config_flags(config):
    """A flag for each field of a config that may be chosen; it has no default."""
    flags = {}
    for name, field in flag_fields(config).items():
        text = field.metadata["help"]
        # The defaults of a model come from its preset.
        if config in TRAIN_GROUPS.values() and name in FITTED:
            text += " (default: fitted to the text)"
        elif not issubclass(config, StackConfig) and field.default is not None:
            text += f" (default: {field.default})"
        how = value_options(field.type)
        flags[flag(name)] = dict(help=text, default=argparse.SUPPRESS, **how)
    return flags


def text_flags():
    """The flags of a language model alone: its files, and fields of its own."""
    flags = {flag(name): dict(help=text, **FILES) for name, text in TEXT_FILES.items()}
    known = config_flags(TransformerConfig)
    own = config_flags(CausalLMConfig)
    return flags | {name: own[name] for name in own if name not in known}


def check_filled(options):
    """Raise a `ValueError` if a flag has no value, as of a variable that is not set."""
    for name in options.names:
        value = getattr(options, name, None)
        values = value if isinstance(value, list) else [value]
        is_filled = "" not in values or name in MAY_BE_EMPTY
        expect(is_filled, flag(name), "not be empty", value)


def check_used(options, only):
    """Raise a `ValueError` if a flag would be ignored.

    For the name of an option, `only` has the other, and its value, without which it is
    ignored; True is any value.
    """
    given = vars(options)
    for name, (other, value) in only.items():
        found = given.get(name)
        present = given.get(other)
        is_used = bool(present) if value is True else present == value
        is_given = found is not None and found is not False
        what = flag(other) if value is True else f"{flag(other)} {value}"
        must = f"be absent without {what}"
        expect(is_used or not is_given, flag(name), must, found)


def value_options(kind):
    """How argparse reads a value of a field's type."""
    parts = get_args(kind)
    if get_origin(kind) is Literal:
        return {"choices": parts}
    if parts:  # `int | None`: a flag gives a number
        kind = parts[0]
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": kind, "metavar": kind.__name__.upper()}


def chosen_fields(options, config):
    """The fields of a config dataclass that the command line sets."""
    chosen = vars(options)
    return {name: chosen[name] for name in flag_fields(config) if name in chosen}


def read_toml(path):
    """The settings of a --config file, with a table for each of `TRAIN_GROUPS`.

    Raises:
        ValueError: if it is no TOML, or has an unknown key or a value of a wrong type.
    """
    where = f"config {path!r}"
    with readable(where, "TOML file"):
        content = read_regular(path, LARGEST_TOML, where)
    try:
        settings = tomllib.loads(content.decode("utf-8-sig"))
        repr(settings)  # an error must be able to show what is deep or has many digits
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is not valid TOML: {error}") from None
    check_names(where, settings, [*OF_CORPORA, "preset", *TRAIN_GROUPS])
    for name, value in settings.items():
        if name in TRAIN_GROUPS:
            check_table(where, name, value)
        elif name in MIXING:
            check_mixing(where, name, value)
        else:
            check_texts(where, name, value)
    return settings


def check_table(where, name, value):
    """Raise a `ValueError` unless a setting is a table of fields of a config."""
    expect(isinstance(value, dict), f"{where}: {name}", "be a table", value)
    known = flag_fields(TRAIN_GROUPS[name])
    if name == "model":
        known |= flag_fields(CausalLMConfig)
    check_names(f"{where}: [{name}]", value, known)


def check_mixing(where, name, value):
    """Raise a `ValueError` unless a setting is a list of weights or of tags."""
    kinds = (str,)
    what = "strings"
    if name == "weights":
        kinds = (int, float)
        what = "numbers"
    is_list = isinstance(value, list)
    is_right = is_list and all(type(one) in kinds for one in value)
    expect(is_right, f"{where}: {name}", f"be a list of {what}", value)


def check_texts(where, name, value):
    """Raise a `ValueError` unless a setting is a string, or where it may be a list."""
    is_list = name in SEVERAL and isinstance(value, list)
    texts = value if is_list else [value]
    is_text = all(isinstance(text, str) for text in texts)
    must = "be a list of strings" if is_list else "be a string"
    expect(texts and is_text, f"{where}: {name}", must, value)


def check_names(where, settings, known):
    """Raise a `ValueError` if settings have a name that is not known."""
    unknown = [name for name in settings if name not in known]
    expect(not unknown, where, f"have settings of {', '.join(known)} only", unknown)
