"""A `.keras` file read as data: only arrays and the model's configuration, nothing that names code."""

import json
import tempfile
import zipfile

import h5py
import numpy as np

from keras_transformer.config import TransformerConfig

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
LARGEST_JSON = 1 << 20  # bytes
ARRAYS_OF_A_WEIGHT = 4  # itself, the two moments of Adam, an accumulated gradient
OVERHEAD = 1 << 22  # bytes of HDF5's own, and 1 MiB more for each block


def check_archive(path, config):
    """Refuse a `.keras` file that is not that of a `TransformerConfig`, before a model of such sizes is made.

    Members that do not belong there, sizes that do not fit the model's, another
    configuration, damaged bytes and arrays that are not plain are refused; nothing is
    executed, no object is made from the file.

    Raises:
        ValueError: if the file is not that of such a model, or is damaged.
    """
    least = 2 * config.parameters
    most = 4 * ARRAYS_OF_A_WEIGHT * config.parameters + OVERHEAD
    most += (1 << 20) * (config.encoder_layers + config.decoder_layers)
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, least, most)
            check_config(archive, config)
            with (
                archive.open("model.weights.h5") as stream,
                h5py.File(stream, "r") as file,
            ):
                check_arrays(file, most)
    except Exception as error:  # damaged files make zipfile and h5py raise many kinds
        raise refusal(path, error) from None


def load_weights(model, path):
    """Read the weights of a `Transformer` from a `.keras` file that `check_archive` let pass.

    Raises:
        ValueError: if it does not hold the arrays of this model.
    """
    try:
        # Out of the archive first: in there each step back would be a new beginning,
        # and large models take many.
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
            model.load_weights(archive.extract("model.weights.h5", folder))
    except Exception as error:  # of many kinds, too
        raise refusal(path, error) from None


def refusal(path, error):
    reason = (str(error) or repr(error)).splitlines()[0]
    return ValueError(
        f"{str(path)!r} cannot be read as the model that config.json describes: {reason}"
    )


def check_members(archive, least, most):
    members = archive.infolist()
    names = [member.filename for member in members]
    if set(names) != MEMBERS or len(names) != len(MEMBERS):
        raise ValueError(
            f"it must hold {', '.join(sorted(MEMBERS))}; received {', '.join(names[:5])}"
        )
    for member in members:
        is_weights = member.filename == "model.weights.h5"
        low, high = (least, most) if is_weights else (0, LARGEST_JSON)
        if not low <= member.file_size <= high:
            raise ValueError(
                f"{member.filename} must have {low:,} to {high:,} bytes; received {member.file_size:,}"
            )
    # Compares the check sum of every member.
    if (damaged := archive.testzip()) is not None:
        raise ValueError(f"{damaged} is damaged")


def check_config(archive, config):
    found = json.loads(archive.read("config.json"))
    if found["registered_name"] != "keras_transformer>Transformer":
        raise ValueError(
            f"its class must be keras_transformer>Transformer; received {found['registered_name']!r}"
        )
    # An older file lacks newer options.
    if TransformerConfig(**found["config"]["config"]) != config:
        raise ValueError("its configuration is another")


def check_arrays(file, most):
    total = 0

    def visit(name, item):
        nonlocal total
        if not isinstance(item, h5py.Dataset):
            return
        total += int(np.prod(item.shape, dtype=object)) * item.dtype.itemsize
        if (
            item.external
            or item.is_virtual
            or item.dtype.kind not in "iuf"
            or total > most
        ):
            raise ValueError(
                f"{name} must be a plain array, all of them at most {most:,} bytes"
            )

    file.visititems(visit)
