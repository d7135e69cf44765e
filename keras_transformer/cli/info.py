"""Say what a run or an export is: sizes, data, scores, files, possible exports."""

import json
from pathlib import Path

from ..config import config_from, one_of
from ..runs.sealed_files import Manifest, kind_of, reading
from .flags import JSON

FLAGS = {"run": dict(metavar="RUN", help="a run, or an export of one")} | JSON


def run(options):
    from ..runs.card import outline

    path = Path(options.run)
    about = about_export if kind_of(path) == "export" else about_run
    found, usage = about(path)
    found["bytes"] = {entry.name: size_of(entry) for entry in sorted(path.iterdir())}
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        print(*outline(found), "", usage, sep="\n")


def about_run(path):
    from ..export.export_directory import PACKAGES, check_format
    from ..runs.card import facts, template_of
    from ..runs.run import Run

    run = Run.open(path)
    exports = {}
    for format in PACKAGES:
        exports[format] = "yes"
        try:
            run.check_model()
            check_format(run, format)
        except (ValueError, ImportError) as error:
            exports[format] = f"no: {error}"
    return {**facts(run), "exports": exports}, template_of(run.config.model, "run")


def about_export(path):
    from ..export.export_directory import PACKAGES, told_of
    from ..runs.card import template_of

    config = Manifest(path).read_json("config.json")
    with reading(path / "config.json"):
        format = one_of("format", config["format"], PACKAGES)
        model = config_from(config["model"])
        found = {"parameters": model.parameters, **told_of(config)}
        return found, template_of(model, format)


def size_of(path):
    """The bytes of a file, or of all that a folder holds."""
    files = [path, *path.rglob("*")]
    return sum(file.stat().st_size for file in files if file.is_file())
