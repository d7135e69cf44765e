"""Train a model on two text files."""

import argparse
import dataclasses
from pathlib import Path

from ..config import (
    DISTRIBUTIONS,
    PRESETS,
    check_only,
    expect,
    preset,
)
from ..runs.flag_names import FLAG_NAMES, flag
from .flags import (
    NEW_RUN,
    OVERWRITE,
    TRAIN_FILES,
    TRAIN_GROUPS,
    check_used,
    chosen_fields,
    read_toml,
)
from .output import say_where

UNSET = argparse.SUPPRESS  # the options lack what the user does not choose
FLAGS = {
    **NEW_RUN,
    **{
        flag(name): dict(default=UNSET, help=text) for name, text in TRAIN_FILES.items()
    },
    "--preset": dict(
        default=UNSET,
        choices=PRESETS,
        help="size of the model (default: tiny)",
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
GROUPS = TRAIN_GROUPS
FIRST = (
    *map(flag, TRAIN_FILES),
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
    "patience": ("valid_source", True),
}


def run(options):
    if options.resume:
        replaces = options.overwrite
        expect(not replaces, "--overwrite", "be absent with --resume", replaces)
    settings = read_toml(options.config) if options.config else {}
    in_file = {*settings}
    for group in TRAIN_GROUPS:
        in_file |= settings.get(group, {}).keys()
    # Errors name what a settings file says as it does.
    in_file -= vars(options).keys()
    FLAG_NAMES.set([name for name in options.names if name not in in_file])
    chosen = {**settings, **vars(options)}
    if not options.resume:
        check_used(argparse.Namespace(**chosen), ONLY_WITH_FILES)
    goes_on = options.resume and Path(options.run, "config.json").is_file()
    earlier = options.run if goes_on else options.init_from
    if earlier is None and "source" not in chosen:
        raise ValueError("--source is needed: a file of source sentences")
    configs = {name: config() for name, config in TRAIN_GROUPS.items()}
    if earlier is not None:
        from ..runs.run import Run

        # A run that goes on keeps its training settings too.
        kept = TRAIN_GROUPS if goes_on else ("model", "data")
        own = Run.open(earlier).config
        configs |= {name: getattr(own, name) for name in kept}
    if "preset" in chosen or earlier is None:
        configs["model"] = preset(chosen.get("preset", "tiny"))
    for name, config in configs.items():
        changes = settings.get(name, {}) | chosen_fields(options, type(config))
        configs[name] = dataclasses.replace(config, **changes)
        check_only(configs[name], changes)

    from ..distribution.distribute import distribute
    from ..training.train import train

    distribution = distribute(options.distribute, options.model_devices)
    given = [*TRAIN_FILES, "overwrite", "resume", "init_from"]
    how = {name: chosen.get(name) for name in given}
    train(options.run, **how, **configs, distribution=distribution)
    if distribution.process == 0:
        say_where(options.run)
