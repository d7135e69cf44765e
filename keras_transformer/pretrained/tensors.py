"""The weights of a stack, and the tensors of a checkpoint that hold them."""

import dataclasses
import re

import numpy as np

from ..config import weights

# Paths in a stack; # is a block's number.
ATTENTION = "blocks.#.self_attention"
FEED_FORWARD = "blocks.#.feed_forward"
# Our name of a weight, and theirs; the last are TensorFlow's, in files of old.
ENDINGS = {
    "kernel": ["weight"],
    "bias": ["bias"],
    "table": ["weight"],
    "embeddings": ["weight"],
    "scale": ["weight"],
    "gamma": ["weight", "gamma"],
    "beta": ["bias", "beta"],
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One weight of a model, and what it is in a checkpoint.

    Attributes:
        path: the attributes that lead from the model to our variable.
        names: in the checkpoint; where there are several, all are the same tensor.
        shape: in the checkpoint.
        transposed: whether it is there the other way round.
        skipped: rows at the beginning that we do not have.
        factor: what it is multiplied by to be ours.
        optional: whether it may be missing; ours is as a new model has it then.
        columns: which of its last axis are ours; all when absent.
    """

    path: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    transposed: bool = False
    skipped: int = 0
    factor: float = 1.0
    optional: bool = False
    columns: tuple[int, int] | None = None

    def variable(self, model):
        """Our variable."""
        found = model
        for part in self.path.split("."):
            found = found[int(part)] if part.isdigit() else getattr(found, part)
        return found

    def ours(self, array):
        """A checkpoint's array as we hold it, but for axes of one row."""
        array = array[self.skipped :]
        if self.columns is not None:
            array = array[..., slice(*self.columns)]
        if self.factor != 1.0:
            array = array * np.float32(self.factor)
        return array.T if self.transposed else array

    def theirs(self, array):
        """Our array as a checkpoint holds it; rows that we do not have are zeros."""
        array = array.T if self.transposed else array
        if self.factor != 1.0:
            array = array / np.float32(self.factor)
        if self.skipped:
            array = np.pad(array, [(self.skipped, 0), (0, 0)])
        array = np.ascontiguousarray(array, "float32")
        return array if self.columns is not None else array.reshape(self.shape)


def stack_weights(config, side, attentions=None):
    """The path in a stack, without its embedding, and the shape of each weight."""
    yield from weights.around_blocks(config)
    layers = config.side(side).num_layers
    for number in range(layers):
        yield from weights.block(f"blocks.{number}", config, side, attentions)


def named(found, table, stack="", prefixes=("",), factors=None):
    """The `Tensor` of each weight, a pair of path and shape, by a family's names.

    Args:
        found: the pairs.
        table: the name of each layer in a checkpoint, or a tuple of names of which a
            checkpoint has one, by our path to the layer in the stack; `#` is the number
            of a block in both.
        stack: path to the stack in our model, with a dot at its end.
        prefixes: what stands before their names, one of them.
        factors: those of kernels by our path, where they are not 1.
    """
    for path, shape in found:
        layer, _, weight = path.rpartition(".")
        number = "".join(re.findall(r"(?<=^blocks\.)\d+", layer))
        layer = re.sub(r"^blocks\.\d+", "blocks.#", layer)
        theirs = table[layer]
        theirs = [theirs] if isinstance(theirs, str) else theirs
        names = [
            f"{prefix}{name.replace('#', number)}.{ending}"
            for name in theirs
            for prefix in prefixes
            for ending in ENDINGS[weight]
        ]
        factor = (factors or {}).get(layer, 1.0)
        yield Tensor(
            stack + path,
            tuple(names),
            shape,
            transposed=weight == "kernel",
            factor=factor,
        )
