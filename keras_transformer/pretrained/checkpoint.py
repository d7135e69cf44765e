"""The tensors of a checkpoint folder, read one at a time; nothing in it is executed."""

import zipfile
from pathlib import Path

import numpy as np
from safetensors import safe_open

from keras_transformer.config import expect
from keras_transformer.pretrained.hub import WEIGHTS, weights_in
from keras_transformer.pretrained.tokenizers.base import one_of
from keras_transformer.pretrained.tokenizers.files import reading
from keras_transformer.runs.extras import needed

FLOATS = ("F32", "F16", "BF16")


def open_checkpoint(folder):
    """The tensors of a folder: an object with `shapes` and `read(name)`.

    Raises:
        ValueError: if there are none, or they cannot be read.
        ImportError: if they are in PyTorch's own format and PyTorch is not installed.
    """
    paths = weights_in(Path(folder))
    expect(paths, "source", f"hold one of {', '.join(WEIGHTS)}", str(folder))
    with reading(paths[0]):
        return Torch(paths) if paths[0].suffix == ".bin" else Safetensors(paths)


class Safetensors:
    """Tensors in safetensors files.

    Attributes:
        shapes: the shape of each tensor by its name, from the files' headers.
    """

    def __init__(self, paths):
        self.shapes = {}
        self._paths = {}
        for path in paths:
            with safe_open(path, framework="np") as file:
                for name in file.keys():
                    header = file.get_slice(name)
                    one_of(name, header.get_dtype(), FLOATS)
                    self.shapes[name] = tuple(header.get_shape())
                    self._paths[name] = path

    def read(self, name):
        """A tensor as a new float32 array."""
        # Opened anew each time: what is read stays mapped, and counts as memory, as
        # long as the file is open.
        with safe_open(self._paths[name], framework="np") as file:
            return np.ascontiguousarray(file.get_tensor(name), dtype="float32")


class Torch:
    """Tensors in files of `torch.save`, read as data: no object but tensors is made."""

    def __init__(self, paths):
        needed("torch", extra="torch")
        import torch

        self._tensors = {}
        for path in paths:
            # Where the format allows it, memory is taken by one tensor at a time.
            how = dict(weights_only=True, mmap=zipfile.is_zipfile(path))
            try:
                self._tensors |= torch.load(path, map_location="cpu", **how)
            except Exception as error:  # of many kinds
                reason = (str(error) or repr(error)).splitlines()[0]
                raise ValueError(reason) from None
        self.shapes = {}
        for name, tensor in self._tensors.items():
            is_float = isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
            expect(
                is_float, name, "be a tensor of floating-point numbers", type(tensor)
            )
            self.shapes[name] = tuple(tensor.shape)

    def read(self, name):
        """A tensor as a new float32 array."""
        return np.array(self._tensors[name].float().numpy())
