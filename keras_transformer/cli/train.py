"""Train a model on two text files."""

import argparse
import dataclasses
from pathlib import Path

from ..config import DISTRIBUTIONS, PRESETS, expect, preset
from .flags import (
    NEW_RUN,
    OVERWRITE,
    TRAIN_FILES,
    TRAIN_GROUPS,
    chosen_fields,
    flag,
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


def run(options):
    if options.resume:
        replaces = options.overwrite
        expect(not replaces, "--overwrite", "be absent with --resume", replaces)
    settings = read_toml(options.config) if options.config else {}
    chosen = {**settings, **vars(options)}
    goes_on = options.resume and Path(options.run, "config.json").is_file()
    earlier = options.run if goes_on else options.init_from
    if earlier is None and "source" not in chosen:
        raise ValueError("--source is needed: a file of source sentences")
    changes = {
        name: settings.get(name, {}) | chosen_fields(options, config)
        for name, config in TRAIN_GROUPS.items()
    }
    own = None
    if earlier is not None:
        from ..runs.run import Run

        own = Run.open(earlier).config
    said = ""
    if goes_on:
        configs = {name: getattr(own, name) for name in TRAIN_GROUPS}
        if "preset" in chosen:
            configs["model"] = preset(chosen["preset"])
        for name, config in configs.items():
            configs[name] = dataclasses.replace(config, **changes[name])
    else:
        from ..training.fitted import fitted_settings

        given = {name: chosen[name] for name in ("preset",) if name in chosen}
        for fields in changes.values():
            given |= fields
        files = (chosen["source"], chosen.get("target"))
        fitted = fitted_settings(*files, own, **given)
        configs = {name: getattr(fitted, name) for name in TRAIN_GROUPS}
        said = fitted

    from ..distribution.distribute import distribute
    from ..training.train import train

    distribution = distribute(options.distribute, options.model_devices)
    if distribution.process == 0:
        print(said, flush=True)
    given = [*TRAIN_FILES, "overwrite", "resume", "init_from"]
    how = {name: chosen.get(name) for name in given}
    train(options.run, **how, **configs, distribution=distribution)
    if distribution.process == 0:
        say_where(options.run)
