"""Train a model on pairs of sentences, or a language model on text."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from ..config import (
    DISTRIBUTIONS,
    PRESETS,
    CausalLMConfig,
    TransformerConfig,
    check_only,
    expect,
    flag_fields,
    refused,
    resized,
)
from ..process.flag_names import FLAG_NAMES, flag
from ..runs.sealed_files import check_new
from .flags import (
    NEW_RUN,
    OF_CORPORA,
    OF_PAIRS,
    OVERWRITE,
    SIDES,
    TEXT_FILES,
    TRAIN_FILES,
    TRAIN_GROUPS,
    check_used,
    chosen_fields,
    file_flags,
    mixing_flags,
    mixture_chosen,
    pairs_chosen,
    read_toml,
    text_flags,
)
from .output import say_where
from .startup import beside_tensorflow

UNSET = argparse.SUPPRESS  # the options lack what the user does not choose
FLAGS = {
    **NEW_RUN,
    **file_flags(TRAIN_FILES),
    **mixing_flags(),
    "--preset": dict(
        default=UNSET,
        choices=PRESETS,
        help="size of the model (default: fitted to the text)",
    ),
    "--config": dict(help="TOML file: source, preset ..., [model], [data], [training]"),
    "--distribute": dict(
        default="auto",
        choices=DISTRIBUTIONS,
        help="devices share each batch (data) or one model (model, JAX alone)",
    ),
    "--model-devices": dict(type=int, help="devices that share one model"),
    **OVERWRITE,
    "--resume": dict(
        action="store_true",
        help="continue RUN where it was interrupted",
    ),
    "--init-from": dict(help="run whose tokenizer and weights to begin with"),
}
GROUPS = {"a language model": text_flags()} | TRAIN_GROUPS
FIRST = (
    *map(flag, (*TRAIN_FILES, *SIDES, *TEXT_FILES)),
    "--preset",
    "--vocab-size",
    "--max-length",
    "--epochs",
    "--max-minutes",
    "--dtype",
    "--overwrite",
    "--resume",
    "--init-from",
)
ONLY = {"model_devices": ("distribute", "model")}
# With a settings file, too.
ONLY_WITH_FILES = {
    "target": ("source", True),
    "valid_target": ("valid_source", True),
    "valid_text": ("text", True),
}
ONLY_WITH_TEXT = {
    "valid_text": ("text", True),
    "patience": ("valid_text", True),
}


class Chosen(NamedTuple):
    """What is to be trained; a run that goes on has its corpora already."""

    is_text: bool
    configs: dict
    corpus: Any = None
    valid: Any = None
    note: Any = None  # what to say of the choice


def run(options):
    if options.resume:
        replaces = options.overwrite
        expect(not replaces, "--overwrite", "be absent with --resume", replaces)
    settings = read_settings(options)
    chosen = {**settings, **vars(options)}
    if "text" in chosen:
        given = [name for name in OF_PAIRS if name in chosen]
        expect(not given, "--text", "stand without files of pairs", given)
    goes_on = options.resume and Path(options.run, "config.json").is_file()
    choose = chosen_to_go_on if goes_on else chosen_anew
    is_text, configs, corpus, valid, note = choose(options, settings, chosen)

    from ..distribution.distribute import distribute
    from ..training.train import train

    distribution = distribute(options.distribute, options.model_devices)
    if note and distribution.process == 0:
        print(note, flush=True)
    corpora = dict(pairs=corpus, valid_pairs=valid)
    if is_text:
        corpora = dict(text=corpus, valid_text=valid)
    with beside_tensorflow(is_used=configs["training"].tensorboard):
        train(
            options.run,
            **corpora,
            **configs,
            overwrite=options.overwrite,
            resume=options.resume,
            init_from=options.init_from,
            distribution=distribution,
        )
    if distribution.process == 0:
        say_where(options.run, is_text)


def chosen_to_go_on(options, settings, chosen):
    """A run's own configs, but for what is given."""
    from ..runs.run import Run

    own = Run.open(options.run).config
    given = fields_given(options, settings, own.is_language_model)
    configs = kept_configs(own, given, chosen.get("preset"))
    check_fields_count(configs, given)
    ignored = (*OF_CORPORA, "init_from")
    flags = ", ".join(flag(name) for name in ignored if chosen.get(name))
    note = None
    if flags:
        note = f"{options.run} goes on with what it was begun with; not read: {flags}"
    return Chosen(own.is_language_model, configs, note=note)


def chosen_anew(options, settings, chosen):
    """The corpora, and configs that are fitted to them but for what is given."""
    from ..distribution.launcher import launched
    from ..runs.run import Run

    is_text = "text" in chosen
    only = ONLY_WITH_TEXT if is_text else ONLY_WITH_FILES
    check_used(argparse.Namespace(**chosen), only)
    corpus, valid = files_chosen(chosen, is_text)
    _, processes = launched()
    if processes == 1:  # of several, the first may have made it already
        check_new(options.run, options.overwrite)
    own = None
    if options.init_from is not None:
        begun = Run.open(options.init_from)
        begun.check_kind(is_language_model=is_text)
        own = begun.config
    given = fields_given(options, settings, is_text)
    corpus, fitted = fitted_configs(own, given, chosen, corpus, valid, is_text)
    configs = {name: getattr(fitted, name) for name in TRAIN_GROUPS}
    check_fields_count(configs, given)
    return Chosen(is_text, configs, corpus, valid, fitted)


def fields_given(options, settings, is_text):
    """The fields of each config that flags or the settings file give."""
    model = CausalLMConfig if is_text else TransformerConfig
    check_model_fields(model, {**vars(options), **settings.get("model", {})})
    groups = TRAIN_GROUPS | {"model": model}
    return {
        name: settings.get(name, {}) | chosen_fields(options, config)
        for name, config in groups.items()
    }


def check_fields_count(configs, given):
    """Raise a `ValueError` if a field that is given would be ignored."""
    for name, config in configs.items():
        check_only(config, given[name])


def read_settings(options):
    """The content of the settings file, if there is one; errors name what it says."""
    settings = read_toml(options.config) if options.config else {}
    in_file = {*settings}
    for group in TRAIN_GROUPS:
        in_file |= settings.get(group, {}).keys()
    in_file -= vars(options).keys()
    FLAG_NAMES.set([name for name in options.names if name not in in_file])
    return settings


def check_model_fields(kind, given):
    """Raise a `ValueError` for fields of a model that is of the other kind."""
    other = {CausalLMConfig: TransformerConfig}.get(kind, CausalLMConfig)
    others = flag_fields(other).keys() - flag_fields(kind).keys()
    for name in sorted(others & given.keys()):
        raise refused(flag(name), f"be absent for a {kind.__name__}", given[name])


def kept_configs(own, given, size):
    """The configs of a run that goes on, with the fields and the preset given."""
    configs = {name: getattr(own, name) for name in TRAIN_GROUPS}
    if size is not None:
        configs["model"] = resized(own.model, size)
    for name, config in configs.items():
        configs[name] = dataclasses.replace(config, **given[name])
    return configs


def files_chosen(chosen, is_text):
    """What to learn from and what to validate on: paths of text, or `Pairs`."""
    if is_text:
        texts = [chosen.get(name) for name in TEXT_FILES]
        return [[text] if isinstance(text, str) else text for text in texts]
    pairs = mixture_chosen(chosen)
    if pairs is None:
        what = "a file of source sentences; or --pairs, or --text"
        raise ValueError(f"--source is needed: {what}")
    return pairs, pairs_chosen(chosen, "valid_")


def fitted_configs(own, given, chosen, corpus, valid, is_text):
    """The corpus, cleaned if it is pairs, and its `FittedSettings`.

    The fields given stand in these.
    """
    from ..data.corpus import clean_pairs
    from ..training.fitted import data_given, fitted_settings

    fields = {**given["model"], **given["data"], **given["training"]}
    if "preset" in chosen:
        fields["preset"] = chosen["preset"]
    if is_text:
        fitted = fitted_settings(
            text=corpus, begun=own, validated=valid is not None, **fields
        )
        return corpus, fitted
    size = fields.get("valid_size")
    both = valid is not None and size
    expect(not both, "valid_size", "be absent with validation files", size)
    is_validated = valid is not None or size != 0
    what = "be absent without validation pairs"
    patience = fields.get("patience")
    expect(is_validated or patience is None, "patience", what, patience)
    filters = data_given(own, is_validated, **fields)
    corpus = clean_pairs(corpus, config=filters)
    return corpus, fitted_settings(corpus, None, own, is_validated, **fields)
