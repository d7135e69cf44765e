"""`keras-transformer export`: write a run as a model that another engine reads."""

import argparse
from pathlib import Path

from keras_transformer.cli.flags import (
    add_config_flags,
    add_overwrite,
    add_run,
    chosen_fields,
)
from keras_transformer.config import DecodingConfig

HELP = "write a trained run as a model that a production engine reads"


def add_flags(parser):
    add = parser.add_argument
    add_run(parser)
    add("out", metavar="OUT", help="directory to make")
    formats = ["saved_model", "ctranslate2", "onnx", "huggingface"]
    add("--to", required=True, choices=formats, help="what to write")
    add_overwrite(parser)
    types = ["float32", "float16", "bfloat16", "int8"]
    text = "ctranslate2: how the weights are stored (default: float32)"
    add("--quantization", choices=types, default=argparse.SUPPRESS, help=text)
    title = "search: saved_model, for good; ctranslate2, unless told otherwise"
    add_config_flags(parser, DecodingConfig, title)


def run(options):
    from keras_transformer import export

    changes = chosen_fields(options, DecodingConfig)
    if options.to in ("onnx", "huggingface") and changes:
        raise ValueError(
            f"--to {options.to} takes no search; received {', '.join(changes)}"
        )
    if "quantization" in options:
        if options.to != "ctranslate2":
            raise ValueError(
                f"--quantization goes with --to ctranslate2; received --to {options.to}"
            )
        changes["quantization"] = options.quantization
    write = getattr(export, options.to)
    check = write(options.run, options.out, overwrite=options.overwrite, **changes)
    files = [path for path in Path(options.out).rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"{check}\nThe export is in {options.out}: {size / 1e6:.1f} MB.")
