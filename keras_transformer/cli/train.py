"""`keras-transformer train`: train a model on two text files."""

import argparse
import dataclasses
from pathlib import Path

from keras_transformer.cli.flags import (
    NEW_RUN,
    OVERWRITE,
    TRAIN_FILES,
    TRAIN_GROUPS,
    chosen_fields,
    flag,
    read_toml,
)
from keras_transformer.config import DISTRIBUTIONS, PRESETS, expect, preset

HELP = "train a model on two text files"
UNSET = argparse.SUPPRESS  # the options lack what the user does not choose
FILES = {
    flag(name): dict(metavar="FILE", default=UNSET, help=text)
    for name, text in TRAIN_FILES.items()
}
FLAGS = {
    **NEW_RUN,
    **FILES,
    "--preset": dict(
        choices=PRESETS,
        default=UNSET,
        help="size of the model, which the flags below change (default: tiny)",
    ),
    "--config": dict(
        metavar="FILE",
        help="TOML file of the same names: source, preset, [model], [data], [training]",
    ),
    "--distribute": dict(
        choices=DISTRIBUTIONS,
        default="auto",
        help="data: every device takes a share of each batch; model: devices share one "
        "model (JAX); none: one device; auto: data where there are several (default)",
    ),
    "--model-devices": dict(
        type=int, metavar="N", help="--distribute model: devices that share one model"
    ),
    **OVERWRITE,
    "--resume": dict(
        action="store_true",
        help="continue the run where it was interrupted; begin it if there is none",
    ),
    "--init-from": dict(
        metavar="RUN", help="begin with the tokenizer and weights of another run"
    ),
}
GROUPS = TRAIN_GROUPS


def run(options):
    both = options.resume and options.overwrite
    expect(not both, "--overwrite", "be absent with --resume", True)
    settings = read_toml(options.config) if options.config else {}
    chosen = {**settings, **vars(options)}
    goes_on = options.resume and Path(options.run, "config.json").is_file()
    earlier = options.run if goes_on else options.init_from
    if earlier is None and "source" not in chosen:
        raise ValueError("--source is needed: a file of source sentences")
    configs = {name: config() for name, config in TRAIN_GROUPS.items()}
    if earlier is not None:
        from keras_transformer.runs.run import Run

        # A run that goes on keeps its training settings too.
        kept = TRAIN_GROUPS if goes_on else ("model", "data")
        own = Run.open(earlier).config
        configs |= {name: getattr(own, name) for name in kept}
    if "preset" in chosen or earlier is None:
        configs["model"] = preset(chosen.get("preset", "tiny"))
    for name, config in configs.items():
        changes = settings.get(name, {}) | chosen_fields(options, type(config))
        configs[name] = dataclasses.replace(config, **changes)

    from keras_transformer.distribution.distribute import distribute
    from keras_transformer.training.train import train

    distribution = distribute(options.distribute, options.model_devices)
    train(
        options.run,
        **{name: chosen.get(name) for name in TRAIN_FILES},
        **configs,
        overwrite=options.overwrite,
        resume=options.resume,
        init_from=options.init_from,
        distribution=distribution,
    )
    if distribution.process == 0:
        print(f"\nThe run is in {options.run}. Next:")
        print(f"  keras-transformer translate {options.run} 'A sentence.'")
