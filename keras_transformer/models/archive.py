"""A `.keras` file read as data: only arrays and the model's configuration, nothing that names code."""

import dataclasses
import json
import zipfile

import h5py
import numpy as np

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
LARGEST_JSON = 1 << 20  # bytes
ARRAYS_OF_A_WEIGHT = 4  # itself, the two moments of Adam, an accumulated gradient


def load_weights(model, path):
    """Read the weights of a `Transformer` from a `.keras` file, once nothing in it can do harm.

    Members that do not belong there, sizes beyond what the model needs, a configuration that is not the model's, and
    damaged bytes are refused before an array is made. Code is never executed: no object is made from the file.

    Raises:
        ValueError: if the file is not that of this model, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, most_bytes(model))
            check_config(archive, model.config)
            with archive.open("model.weights.h5") as stream, h5py.File(stream, "r") as file:
                check_arrays(file, most_bytes(model))
        model.load_weights(path)
    except Exception as error:  # damaged files make zipfile, h5py and Keras raise many kinds
        reason = (str(error) or repr(error)).splitlines()[0]
        raise ValueError(f"{str(path)!r} cannot be read as the model that config.json describes: {reason}") from None


def most_bytes(model):
    """The most that an archive of this model may hold, its optimizer's arrays included."""
    arrays = sum(int(np.prod(variable.shape)) for variable in model.variables) * 4 * ARRAYS_OF_A_WEIGHT
    return arrays + (1 << 14) * (len(model.variables) * ARRAYS_OF_A_WEIGHT + 64)  # HDF5's own


def check_members(archive, most):
    members = archive.infolist()
    names = [member.filename for member in members]
    if set(names) != MEMBERS or len(names) != len(MEMBERS):
        raise ValueError(f"it must hold {', '.join(sorted(MEMBERS))}; received {', '.join(names[:5])}")
    for member in members:
        limit = most if member.filename == "model.weights.h5" else LARGEST_JSON
        if member.file_size > limit:
            raise ValueError(f"{member.filename} must have at most {limit:,} bytes; received {member.file_size:,}")
    if (damaged := archive.testzip()) is not None:  # compares the check sum of every member
        raise ValueError(f"{damaged} is damaged")


def check_config(archive, config):
    found = json.loads(archive.read("config.json"))
    if found["registered_name"] != "keras_transformer>Transformer":
        raise ValueError(f"its class must be keras_transformer>Transformer; received {found['registered_name']!r}")
    expected = dataclasses.asdict(config)
    if found["config"]["config"] != expected:
        raise ValueError("its configuration is another")


def check_arrays(file, most):
    total = 0

    def visit(name, item):
        nonlocal total
        if not isinstance(item, h5py.Dataset):
            return
        total += int(np.prod(item.shape, dtype=object)) * item.dtype.itemsize
        if item.external or item.is_virtual or item.dtype.kind not in "iuf" or total > most:
            raise ValueError(f"{name} must be a plain array, all of them at most {most:,} bytes")

    file.visititems(visit)
