"""The tensors of a checkpoint folder, read one at a time; nothing in it is executed."""

import zipfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from keras_transformer.pretrained.hub import WEIGHTS
from keras_transformer.pretrained.tokenizers.files import checked, read_json

FLOATS = ("F32", "F16", "BF16")


def open_checkpoint(folder):
    """The tensors of a folder: an object with `shapes` and `read(name)`.

    Raises:
        ValueError: if there are none, or they cannot be read.
        ImportError: if they are in PyTorch's own format and PyTorch is not installed.
    """
    folder = Path(folder)
    names = [name for whole, index, _ in WEIGHTS for name in (whole, index)]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        either = " or ".join(whole for whole, *_ in WEIGHTS)
        raise ValueError(f"source must hold {either}; {str(folder)!r} has neither")
    kind = Torch if ".bin" in found[0].name else Safetensors
    try:
        paths = shards(found[0]) if found[0].suffix == ".json" else [found[0]]
        return kind(paths)
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise ValueError(f"{str(found[0])!r} cannot be used: {error}") from None


def shards(index):
    """The files that an index names: all beside it."""
    names = checked("weight_map", read_json(index).get("weight_map"), dict)
    names = sorted(set(names.values()))
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
        self.shapes = {}
        self._paths = {}
        for path in paths:
            with safe_open(path, framework="np") as file:
                for name in file.keys():
                    header = file.get_slice(name)
                    kind = header.get_dtype()
                    if kind not in FLOATS:
                        raise ValueError(
                            f"{name} must be one of {', '.join(FLOATS)}; "
                            f"received {kind}"
                        )
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
        try:
            import torch
        except ImportError:
            raise ImportError(
                f"{paths[0].name} is PyTorch's own format; to read it, in the clone of "
                'this project run: pip install -e ".[torch]" (or choose a revision '
                "that has model.safetensors)"
            ) from None
        self._tensors = {}
        for path in paths:
            try:
                self._tensors |= torch.load(
                    path,
                    map_location="cpu",
                    weights_only=True,
                    # Where the format allows it: memory is then taken by one tensor
                    # at a time.
                    mmap=zipfile.is_zipfile(path),
                )
            except Exception as error:  # of many kinds
                reason = (str(error) or repr(error)).splitlines()[0]
                raise ValueError(reason) from None
        for name, tensor in self._tensors.items():
            if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
                raise ValueError(
                    f"{name} must be a tensor of floating-point numbers; "
                    f"received {type(tensor).__name__}"
                )
        self.shapes = {name: tuple(t.shape) for name, t in self._tensors.items()}

    def read(self, name):
        """A tensor as a new float32 array."""
        return np.array(self._tensors[name].float().numpy())
