"""Say what a training needs of a TPU or GPUs, compiled for them without one."""

import dataclasses
import json
from pathlib import Path

from ..config import (
    PRESETS,
    DataConfig,
    TrainingConfig,
    TransformerConfig,
    check_only,
    expect,
    preset,
)
from ..process.flag_names import flag
from ..runs.sealed_files import new_file
from .flags import chosen_fields, config_flags
from .train import check_model_fields

# Of data and training, what the compiled step or its number depends on.
STEP = (
    "batch_tokens",
    "vocab_size",
    "share_embeddings",
    "dtype",
    "max_updates",
    "gradient_accumulation",
    "label_smoothing",
    "weight_decay",
    "clip_norm",
    "ema_momentum",
    "r_drop",
    "lora_rank",
)
# What a run has settled.
OF_THE_MODEL = ("preset", "vocab_size", "share_embeddings")


def step_flags():
    """The flags of `STEP`."""
    known = config_flags(DataConfig) | config_flags(TrainingConfig)
    return {flag(name): known[flag(name)] for name in STEP}


FLAGS = {
    "run": dict(metavar="RUN", nargs="?", help="whose settings to plan with, if any"),
    "--topology": dict(
        required=True,
        metavar="CHIP:SHAPE",
        help="v4:2x2x2, v5e:4x4, v5p:2x2x2, v6e:2x4 ...; a100, h100, h200, b200: 8 of "
        "one box, 4x8 of four",
    ),
    "--preset": dict(
        choices=PRESETS, help="size of the model (default: base, without RUN)"
    ),
    "--distribute": dict(
        default="data",
        choices=("data", "model"),
        help="devices share each batch (data) or one model (model)",
    ),
    "--model-devices": dict(type=int, help="devices that share one model"),
    "--length": dict(type=int, default=32, help="tokens of a row (default: 32)"),
    "--json": dict(metavar="FILE", help="write the figures there, too"),
}
GROUPS = {"the step": step_flags(), "model": TransformerConfig}
FIRST = (*FLAGS, "--batch-tokens", "--vocab-size", "--dtype", "--max-updates")
ONLY = {"model_devices": ("distribute", "model")}


def run(options):
    from ..distribution.planning import plan

    model, data, training = configs(options)
    if options.json:
        place = Path(options.json).resolve()
        fits = place.parent.is_dir() and not place.is_dir()
        expect(fits, "json", "be a file of a folder that exists", options.json)
    found = plan(
        options.topology,
        model,
        data,
        training,
        how=options.distribute,
        model_devices=options.model_devices,
        length=options.length,
    )
    print(found, flush=True)
    if options.json:
        with new_file(options.json) as file:
            file.write(json.dumps(found.facts(), indent=1) + "\n")


def configs(options):
    """The configs of the run or the preset, with the fields that are chosen."""
    if options.run:
        from ..runs.run import Run

        for name in OF_THE_MODEL:
            value = vars(options).get(name)
            expect(value is None, flag(name), "be absent with RUN", value)
        own = Run.open(options.run).config
        model = own.model
        data = own.data
        training = own.training
    else:
        data = dataclasses.replace(DataConfig(), **chosen_fields(options, DataConfig))
        size = data.vocab_size
        sizes = dict(source_vocab_size=size, target_vocab_size=size)
        sizes["share_embeddings"] = data.share_embeddings
        model = preset(options.preset or "base", **sizes)
        training = TrainingConfig()
    check_model_fields(type(model), vars(options))
    return [changed(config, options) for config in (model, data, training)]


def changed(config, options):
    """A config with the fields that are chosen, all of which must count."""
    fields = chosen_fields(options, config)
    config = dataclasses.replace(config, **fields)
    check_only(config, fields)
    return config
