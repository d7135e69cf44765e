"""An export is a directory: the files of an engine, and two files about them.

config.json       format, model, search, check, versions of what wrote it
manifest.json     size and SHA-256 of every file
"""

import contextlib
import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

from keras_transformer.config import DecodingConfig
from keras_transformer.runs.sealed_files import (
    Manifest,
    new_directory,
    new_file,
    read_json,
    seal,
)


@contextlib.contextmanager
def new_export(run, out, overwrite):
    """Give an empty directory, which becomes `out` when the block ends well.

    Otherwise nothing is left of it. Keras computes on the processor meanwhile: a GPU
    may round the products that an export is compared with.
    """
    import keras

    if run.path.resolve().is_relative_to(Path(out).resolve()):
        raise ValueError(
            f"out must not be the run or hold it; received {str(out)!r} for run "
            f"{str(run.path)!r}"
        )
    with new_directory(out, overwrite, kind="export") as aside, keras.device("cpu"):
        yield aside


def refuse_sampling(search, where):
    """Raise a `ValueError` if a `DecodingConfig` asks an engine to sample."""
    if search.search == "sampling":
        raise ValueError(
            f"search must be 'beam' or 'greedy' {where}; received 'sampling'"
        )


def write_config(out, packages, **content):
    """Add to an export's `config.json` what every export says, and seal the directory.

    Args:
        out: the export's directory; all else is written.
        packages: names of the distributions that wrote it.
        **content: the `format`, the `model`'s configuration, the `check`; of an export
            that searches `decoding`; and what only this format has.
    """
    path = Path(out) / "config.json"
    config = read_json(path) if path.exists() else {}
    made_with = {name: version(name) for name in ("keras", *packages)}
    config |= {**content, "made_with": made_with}
    with new_file(path) as file:
        json.dump(config, file, indent=2, default=dataclasses.asdict)
    seal(out)


def read_search(export, format):
    """The `DecodingConfig` and the most positions of an export; verifies its files.

    Raises:
        ValueError: if it is no export of this format, or a file is not what was
            written.
    """
    path = Path(export) / "config.json"
    if not path.is_file():
        raise ValueError(
            "export must be a directory that `keras-transformer export` wrote; "
            f"{str(path)!r} is missing"
        )
    manifest = Manifest(export)
    manifest.verify()
    config = manifest.read_json("config.json")
    try:
        found = config.get("format")
        if found != format:
            raise ValueError(f"its format must be {format!r}; received {found!r}")
        return DecodingConfig(**config["decoding"]), int(config["positions"])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None
