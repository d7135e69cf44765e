"""Write a trained run as a model that a production engine reads."""

import argparse

from ..config import DecodingConfig, check_only, expect
from ..export.export_directory import PACKAGES
from .flags import OVERWRITE, SEVERAL_RUNS, chosen_fields
from .startup import beside_tensorflow

FLAGS = {
    **SEVERAL_RUNS,
    "out": dict(metavar="OUT", help="directory to make"),
    "--to": dict(
        required=True,
        choices=[*PACKAGES],
        help="what to write",
    ),
    **OVERWRITE,
    "--quantization": dict(
        choices=["float32", "float16", "bfloat16", "int8"],
        default=argparse.SUPPRESS,
        help="how ctranslate2 or keras (float32, int8) stores weights",
    ),
    "--xla": dict(
        action="store_true",
        default=argparse.SUPPRESS,
        help="saved_model: XLA compiles the search of short texts",
    ),
}
WITH_TENSORFLOW = ("saved_model", "onnx", "kerashub")
GROUPS = {"search: saved_model's own; ctranslate2's default": DecodingConfig}


def run(options):
    from .. import export

    to = options.to
    run = options.run
    changes = chosen_fields(options, DecodingConfig)
    check_only(DecodingConfig(**changes), changes)
    if options.others:
        run = [run, *options.others]
        expect(to == "saved_model", "RUN", f"be one with --to {to}", run)
    if to not in ("saved_model", "ctranslate2"):
        expect(not changes, f"--to {to}", "have no search", [*changes])
    if "quantization" in options:
        is_right = to in ("ctranslate2", "keras")
        expect(is_right, "--to", "be ctranslate2 or keras with --quantization", to)
        changes["quantization"] = options.quantization
    if "xla" in options:
        expect(to == "saved_model", "--to", "be saved_model with --xla", to)
        changes["xla"] = options.xla
    out = options.out
    if to == "kerashub":
        from ..kerashub.presets import from_run as write
    else:
        write = getattr(export, to)
    with beside_tensorflow(is_used=to in WITH_TENSORFLOW):
        check = write(run, out, overwrite=options.overwrite, **changes)
    print(f"{check}\nThe export is in {out}.")
