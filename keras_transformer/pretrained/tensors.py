"""The weights of a stack, and the tensors of a checkpoint that hold them."""

import dataclasses
import re

import numpy as np

# Paths in a stack; # is a block's number.
ATTENTION = "blocks.#.self_attention"
FEED_FORWARD = "blocks.#.feed_forward"
ATTENTIONS = {
    "source": ["self_attention"],
    "target": ["self_attention", "cross_attention"],
}
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
    """The path in a stack, without its embedding, and the shape of each weight.

    Shapes are torch's: `(outputs, inputs)` of a kernel.

    Args:
        config: the model's configuration.
        side: `"source"` or `"target"`.
        attentions: names of those of each block; `ATTENTIONS` of the side when absent.
    """
    width = config.d_model
    _, layers, d_ff = config.side(side)
    if config.embedding_norm:
        yield from norm("embedding_norm", config)
    if config.has_final_norm:
        yield from norm("final_norm", config)
    if config.positions == "relative":
        yield "relative_bias.table", (config.relative_buckets, config.num_heads)
    for number in range(layers):
        block = f"blocks.{number}"
        for name in attentions or ATTENTIONS[side]:
            yield from attention(f"{block}.{name}", config)
            yield from norm(f"{block}.{name}_residual.norm", config)
        shapes = {"expand": (d_ff, width), "contract": (width, d_ff)}
        if config.gated:
            shapes["gate"] = (d_ff, width)
        for part, shape in shapes.items():
            path = f"{block}.feed_forward.{part}"
            yield from dense(path, shape, config.feed_forward_bias)
        yield from norm(f"{block}.feed_forward_residual.norm", config)


def attention(path, config):
    """The weights of an attention."""
    width = config.d_model
    key_dim, value_dim = config.head_sizes
    groups = config.num_key_value_heads or config.num_heads
    shapes = {
        "query": (config.num_heads * key_dim, width),
        "key": (groups * key_dim, width),
        "value": (groups * value_dim, width),
        "output_projection": (width, config.num_heads * value_dim),
    }
    for part, shape in shapes.items():
        yield from dense(f"{path}.{part}", shape, config.attention_bias)


def dense(path, shape, use_bias=True):
    """The weights of a dense layer."""
    yield f"{path}.kernel", shape
    if use_bias:
        yield f"{path}.bias", shape[:1]


def norm(path, config):
    """The weights of a norm."""
    shape = (config.d_model,)
    if config.norm == "rms":
        yield f"{path}.scale", shape
    else:
        yield f"{path}.gamma", shape
        yield f"{path}.beta", shape


def named(weights, table, stack="", prefixes=("",), factors=None):
    """The `Tensor` of each weight, by a family's table of names.

    Args:
        weights: pairs of path and shape.
        table: the name of each layer in a checkpoint, or a tuple of names of which a
            checkpoint has one, by our path to the layer in the stack; `#` is the number
            of a block in both.
        stack: path to the stack in our model, with a dot at its end.
        prefixes: what stands before their names, one of them.
        factors: those of kernels by our path, where they are not 1.
    """
    for path, shape in weights:
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
        is_kernel = weight == "kernel"
        options = dict(transposed=is_kernel, factor=factor)
        yield Tensor(stack + path, tuple(names), shape, **options)
