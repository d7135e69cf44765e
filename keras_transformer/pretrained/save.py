"""A model's `.keras` file, written a few rows at a time."""

import dataclasses
import json
import shutil
import zipfile

import h5py
import numpy as np
from keras import ops

from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.archive import MEMBERS
from keras_transformer.text.special_tokens import BEGIN, END, PAD

ROWS = 4096  # of a matrix that are copied at once


def save(model, run):
    """Write `model.keras` into a run as `Run.save_model` does, without a copy of a weight in memory.

    Keras copies each weight once or twice when it saves, and the embedding alone may be
    half of a model. So Keras saves a tiny model of the same layers, whose n-th weight
    is full of n, and that file's arrays are replaced.
    """
    folder = run / "model"
    tiny = Transformer(shrunk(model.config))
    for number, weight in enumerate(tiny.weights):
        weight.assign(np.full(weight.shape, number, "float32"))
    tiny.save(folder, zipped=False)
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        for path, number in numbered(file):
            replace(file, path, model.weights[number])
    saved = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    saved["config"] |= model.get_config()
    (folder / "config.json").write_text(json.dumps(saved), encoding="utf-8")
    with zipfile.ZipFile(run / "model.keras", "w") as archive:
        for name in sorted(MEMBERS):
            archive.write(folder / name, name)
    shutil.rmtree(folder)


def shrunk(config):
    """A `TransformerConfig` of the same layers, each as small as can be."""
    sizes = dict(
        source_vocab_size=5,
        target_vocab_size=5,
        d_model=4,
        d_ff=1,
        decoder_d_ff=1,
        max_positions=1,
    )
    heads = dict(num_heads=1, key_dim=1, value_dim=1)
    return dataclasses.replace(
        config, **sizes, **heads, pad_id=PAD, begin_id=BEGIN, end_id=END
    )


def numbered(file):
    """The path of each array in the tiny model's file, and which weight it is."""
    found = []

    def visit(path, item):
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f":
            found.append((path, int(item[...].flat[0])))

    file.visititems(visit)
    return found


def replace(file, path, weight):
    del file[path]
    array = file.create_dataset(path, weight.shape, "float32")
    for start in range(0, weight.shape[0], ROWS):
        array[start : start + ROWS] = ops.convert_to_numpy(
            weight.value[start : start + ROWS]
        )
