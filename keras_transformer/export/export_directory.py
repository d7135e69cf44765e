"""An export is a directory: the files of an engine, and two files about them.

config.json       format, model, search, check, versions of what wrote it
manifest.json     size and SHA-256 of every file
"""

import contextlib
import dataclasses
import json
from importlib.metadata import version
from pathlib import Path

from ..config import expect
from ..runs.sealed_files import (
    new_directory,
    new_file,
    read_json,
    seal,
)


@contextlib.contextmanager
def new_export(run, out, overwrite, format, *packages):
    """Give an empty directory, which becomes `out` when the block ends well.

    Otherwise nothing is left of it. Keras computes on the processor meanwhile: a GPU
    may round the products that an export is compared with.

    Args:
        run: the `Run`.
        out: directory to make.
        overwrite: replace an export that is there.
        format: what `config.json` calls it.
        *packages: names of the distributions that write it, beside Keras.

    Yields:
        the directory's path, and the dict that `config.json` is to hold: the block adds
        the `check`, and what only this format has.
    """
    import keras

    check_place(run, out)
    made_with = {name: version(name) for name in ("keras", *packages)}
    about = dict(format=format, model=run.config.model, made_with=made_with)
    with new_directory(out, overwrite, kind="export") as aside:
        with keras.device("cpu"):
            yield aside, about
        path = aside / "config.json"
        if path.exists():  # the engine's own
            about = read_json(path) | about
        with new_file(path) as file:
            json.dump(about, file, indent=2, default=dataclasses.asdict)
        seal(aside)


def check_place(run, out):
    """Raise a `ValueError` if a run cannot be exported there."""
    is_outside = not run.path.resolve().is_relative_to(Path(out).resolve())
    expect(is_outside, "out", "not be the run or hold it", str(out))
    quantization = run.config.quantization
    expect(quantization is None, "run", "hold float weights", quantization)


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
    expect(
        search != "sampling", "search", f"be 'beam' or 'greedy' with {engine}", search
    )
    if engine == "CTranslate2" and config.length_penalty:
        penalty = config.penalty
        must = "be 'power' with CTranslate2, which has no other"
        expect(penalty == "power", "penalty", must, penalty)
