"""The tensors of a checkpoint folder, read one at a time. Nothing in its files is executed."""

import zipfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from keras_transformer.pretrained.hub import WHOLE
from keras_transformer.runs.sealed_files import read_json

FLOATS = ("F32", "F16", "BF16")


def open_checkpoint(folder):
    """The tensors of the first of `WHOLE` that the folder has: an object with `shapes` and `read(name)`.

    Raises:
        ValueError: if there is none, or it cannot be read.
        ImportError: if it is PyTorch's own format and PyTorch is not installed.
    """
    folder = Path(folder)
    found = next((folder / name for name in WHOLE if (folder / name).is_file()), None)
    if found is None:
        raise ValueError(
            f"source must hold {' or '.join(WHOLE[::2])}; {str(folder)!r} has neither"
        )
    kind = Torch if ".bin" in found.name else Safetensors
    try:
        return kind(shards(found) if found.suffix == ".json" else [found])
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        SafetensorError,
    ) as error:
        raise ValueError(f"{str(found)!r} cannot be used: {error}") from None


def shards(index):
    """The files that an index names: all beside it."""
    names = sorted(set(read_json(index)["weight_map"].values()))
    for name in names:
        if Path(name).name != name or not (index.parent / name).is_file():
            raise ValueError(f"it must name files beside it; received {name!r}")
    return [index.parent / name for name in names]


class Safetensors:
    """Tensors in safetensors files.

    Attributes:
        shapes: the shape of each tensor by its name, from the files' headers.
    """

    def __init__(self, paths):
        self.shapes, self._paths = {}, {}
        for path in paths:
            with safe_open(path, framework="np") as file:
                for name in file.keys():
                    header = file.get_slice(name)
                    if header.get_dtype() not in FLOATS:
                        raise ValueError(
                            f"{name} must be one of {', '.join(FLOATS)}; received {header.get_dtype()}"
                        )
                    self.shapes[name], self._paths[name] = (
                        tuple(header.get_shape()),
                        path,
                    )

    def read(self, name):
        """A tensor as a new float32 array."""
        # Opened anew each time: what is read stays mapped, and counts as memory, as
        # long as the file is open.
        with safe_open(self._paths[name], framework="np") as file:
            return np.ascontiguousarray(file.get_tensor(name), dtype="float32")


class Torch:
    """Tensors in files of `torch.save`, read as data: `weights_only=True` makes no object but tensors."""

    def __init__(self, paths):
        try:
            import torch
        except ImportError:
            raise ImportError(
                f"{paths[0].name} is PyTorch's own format: pip install 'keras-transformer-nmt[torch]' to read it, or "
                "choose a revision that has model.safetensors"
            ) from None
        self._tensors = {}
        for path in paths:
            # Mapped where the format allows it: memory is then taken by one tensor at a
            # time.
            options = dict(
                map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
            try:
                self._tensors |= dict(torch.load(path, **options))
            except Exception as error:  # of many kinds
                raise ValueError((str(error) or repr(error)).splitlines()[0]) from None
        for name, tensor in self._tensors.items():
            if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
                raise ValueError(
                    f"{name} must be a tensor of floating-point numbers; received {type(tensor).__name__}"
                )
        self.shapes = {
            name: tuple(tensor.shape) for name, tensor in self._tensors.items()
        }

    def read(self, name):
        """A tensor as a new float32 array."""
        return np.array(self._tensors[name].float().numpy())


def read_config(folder):
    """The content of a checkpoint's `config.json`, a dictionary.

    Raises:
        ValueError: if there is none, or it cannot be read.
    """
    path = Path(folder) / "config.json"
    try:
        config = read_json(path)
        if not isinstance(config, dict):
            raise ValueError(
                f"it must hold an object; received {type(config).__name__}"
            )
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{str(path)!r} cannot be used: {getattr(error, 'strerror', None) or error}"
        ) from None
    return config
