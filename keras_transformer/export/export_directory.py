"""An export is a directory: the files of an engine, and two files about them.

config.json       format, model, search, check, versions of what wrote it
manifest.json     size and SHA-256 of every file
"""

import contextlib
import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

from keras_transformer.config import DecodingConfig, expect
from keras_transformer.runs.sealed_files import (
    UNREADABLE,
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

    is_outside = not run.path.resolve().is_relative_to(Path(out).resolve())
    expect(is_outside, "out", "not be the run or hold it", str(out))
    with new_directory(out, overwrite, kind="export") as aside, keras.device("cpu"):
        yield aside


def check_model(config, engine):
    """Raise a `ValueError` if CTranslate2 or Marian has no such model."""
    size = config.head_size
    found = {
        **vars(config),
        "final_norm": config.has_final_norm,
        "key_dim": config.key_dim or size,
        "value_dim": config.value_dim or size,
    }
    only = {"value_dim": found["key_dim"]}
    if engine == "Marian":
        only = dict(
            norm_first=False,
            embedding_norm=False,
            layer_norm_epsilon=1e-5,
            key_dim=size,
            value_dim=size,
            tie_output=config.share_embeddings or config.tie_output,
        )
    if not config.norm_first:
        only["final_norm"] = False
    for name, value in only.items():
        own = found[name]
        must = f"be {value!r} for {engine} in such a model"
        expect(own == value, name, must, own)


def check_search(config, engine):
    """Raise a `ValueError` if CTranslate2 or a SavedModel has no such search."""
    search = config.search
    must = f"be 'beam' or 'greedy' with {engine}"
    expect(search != "sampling", "search", must, search)
    if engine == "CTranslate2" and config.length_penalty:
        penalty = config.penalty
        must = "be 'power' with CTranslate2, which has no other"
        expect(penalty == "power", "penalty", must, penalty)


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
        ValueError: if it is no such export, or a file is not what was written.
    """
    path = Path(export) / "config.json"
    must = "be a directory that `keras-transformer export` wrote"
    expect(path.is_file(), "export", must, str(export))
    manifest = Manifest(export)
    manifest.verify()
    config = manifest.read_json("config.json")
    try:
        found = config.get("format")
        expect(found == format, "its format", f"be {format!r}", found)
        return DecodingConfig(**config["decoding"]), int(config["positions"])
    except UNREADABLE as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None
