"""A `.keras` file read as data: its arrays and settings, nothing that names code."""

import gc
import json
import tempfile
import warnings
import zipfile

import h5py
import keras
import numpy as np
from keras import ops

from ..config import expect, refused
from ..models.kinds import KINDS, model_of
from .sealed_files import LARGEST_JSON
from .work_folder import FULL, naming

WEIGHTS = "model.weights.h5"
MEMBERS = ["config.json", "metadata.json", WEIGHTS]
OVERHEAD = 1 << 17  # bytes of HDF5's own: for the model, and as much for each block
LONGEST_PATH = 500  # characters: the deepest of a model have a fifth of it


def quantize(model, mode):
    """Quantize the layers of a model that Keras can quantize."""

    def is_matrix(layer):
        return isinstance(layer, (keras.layers.Dense, keras.layers.Embedding))

    # Keras collects garbage for each layer, among all objects that are not frozen.
    gc.freeze()
    # Of other layers Keras warns that it cannot.
    model.quantize(mode, filters=is_matrix)
    gc.unfreeze()
    # Of Keras's own, about its vectors of scales.
    warnings.filterwarnings("ignore", "The use of `x.T`", UserWarning)


def read_model(path, config, dtype, quantization=None):
    """The model in a `.keras` file that is that of a configuration.

    Members that do not belong there, sizes that do not fit the model's, another
    configuration, damaged bytes and arrays that are not plain are refused before a
    model of such sizes is made. Nothing is executed, no object is made from the file.

    Raises:
        ValueError: if the file is not that of such a model, or is damaged.
        OSError: if it cannot be unpacked, in the system's folder for such files.
    """
    least = config.parameters if quantization else 2 * config.parameters
    most = 4 * config.parameters + OVERHEAD * (2 + config.num_blocks)
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                check_members(archive, range(least, most + 1))
                check_config(archive, config)
                # Out of the archive first: in there each step back would be a new
                # beginning, and large models take many.
                with naming(folder):
                    weights = archive.extract(WEIGHTS, folder)
            with h5py.File(weights, "r") as file:
                check_arrays(file, most)
            model = model_of(config, dtype)
            if quantization is not None:
                quantize(model, quantization)
            model.load_weights(weights)
            for weight in model.weights:
                is_finite = bool(ops.all(ops.isfinite(weight)))
                expect(is_finite, weight.path, "hold finite numbers", "others")
            return model
        except Exception as error:
            # Damaged files make zipfile and h5py raise many kinds.
            if getattr(error, "errno", None) in FULL:
                raise
            reason = (str(error) or repr(error)).splitlines()[0]
            what = "cannot be read as the model that config.json describes"
            raise ValueError(f"{str(path)!r} {what}: {reason}") from None


def check_members(archive, sizes):
    names = sorted(archive.namelist())
    expect(names == MEMBERS, "it", f"hold {', '.join(MEMBERS)}", names[:5])
    for member in archive.infolist():
        name = member.filename
        limits = sizes if name == WEIGHTS else range(LARGEST_JSON + 1)
        what = f"have {limits.start:,} to {limits.stop - 1:,} bytes"
        expect(member.file_size in limits, name, what, member.file_size)
    damaged = archive.testzip()  # compares the check sum of every member
    expect(damaged is None, "each member", "be what its check sum says", damaged)


def check_config(archive, config):
    found = json.loads(archive.read("config.json"))
    kind = found["registered_name"]
    own = type(config)
    wanted = f"keras_transformer>{KINDS[own].__name__}"
    expect(kind == wanted, "its class", f"be {wanted}", kind)
    # An older file lacks newer options.
    if own(**found["config"]["config"]) != config:
        raise ValueError("its configuration is another")


def check_arrays(file, most):
    sizes = []

    def stranger(name, link):
        # h5py goes on until something is returned; it cannot pass on what is raised.
        is_own = isinstance(link, h5py.HardLink) and len(name) <= LONGEST_PATH
        item = file[name] if is_own else link
        if isinstance(item, h5py.Group) or is_plain(item, sizes, most):
            return None
        return name[:LONGEST_PATH], item

    found = file.visititems_links(stranger)
    if found is not None:
        name, item = found
        raise refused(name, f"be a plain array, all at most {most:,} bytes", item)


def is_plain(item, sizes, most):
    """Whether it is an array of numbers in this file; its size is added to `sizes`."""
    if not isinstance(item, h5py.Dataset):
        return False
    # Of Python's numbers, which do not overflow.
    sizes.append(int(np.prod(item.shape, dtype=object)) * item.dtype.itemsize)
    # A chunk may be packed, and far larger than its array.
    is_here = item.chunks is None and not item.is_virtual and not item.external
    return is_here and item.dtype.kind in "iuf" and sum(sizes) <= most
