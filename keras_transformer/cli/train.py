"""`keras-transformer train`: train a model on two text files."""

import argparse
import dataclasses
from pathlib import Path

from keras_transformer.cli.flags import (
    TRAIN_FILES,
    TRAIN_GROUPS,
    add_config_flags,
    add_options,
    add_overwrite,
    add_run,
    chosen_fields,
    read_toml,
)
from keras_transformer.config import DISTRIBUTIONS, PRESETS, preset

HELP = "train a model on two text files"


def add_flags(parser):
    add = parser.add_argument
    add_run(parser, "directory to make: it will hold all that belongs to the model")
    add_options(parser, TRAIN_FILES, metavar="FILE", default=argparse.SUPPRESS)
    text = "size of the model, which the flags below change (default: tiny)"
    add("--preset", choices=PRESETS, default=argparse.SUPPRESS, help=text)
    text = "TOML file of the same names: source, preset, [model], [data], [training]"
    add("--config", metavar="FILE", help=text)
    add(
        "--distribute",
        choices=DISTRIBUTIONS,
        default="auto",
        help="data: every device takes a share of each batch; model: devices share one "
        "model (JAX); none: one device; auto: data where there are several (default)",
    )
    text = "--distribute model: devices that share one model"
    add("--model-devices", type=int, metavar="N", help=text)
    existing = parser.add_mutually_exclusive_group()
    add_overwrite(existing)
    text = "continue the run where it was interrupted; begin it if there is none"
    existing.add_argument("--resume", action="store_true", help=text)
    text = "begin with the tokenizer and weights of another run"
    add("--init-from", metavar="RUN", help=text)
    for title, config in TRAIN_GROUPS.items():
        add_config_flags(parser, config, title)


def run(options):
    settings = read_toml(options.config) if options.config else {}
    chosen = {**settings, **vars(options)}
    begun = options.resume and Path(options.run, "config.json").is_file()
    earlier = options.run if begun else options.init_from
    if earlier is None and "source" not in chosen:
        raise ValueError("--source is needed: a file of source sentences")
    configs = starting_configs(earlier, begun, chosen.get("preset"))
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


def starting_configs(earlier, begun, size):
    """The configurations that flags and settings change, by name.

    Args:
        earlier: the run to continue or to begin from, or None.
        begun: whether it is continued: then it keeps its training settings too.
        size: the preset that the user chose, or None.
    """
    configs = {name: config() for name, config in TRAIN_GROUPS.items()}
    if earlier is not None:
        from keras_transformer.runs.run import Run

        own = Run.open(earlier).config
        kept = TRAIN_GROUPS if begun else ("model", "data")
        configs.update({name: getattr(own, name) for name in kept})
    if size is not None or earlier is None:
        configs["model"] = preset(size or "tiny")
    return configs
