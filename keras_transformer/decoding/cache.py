"""Rows of a cache: what a search does to hypotheses.

It knows nothing about attention, which does the writing. A cache is any nested
structure whose leaves have hypotheses on axis 0 and, where a search grows it, positions
on the axis before the last.
"""

import keras
from keras import ops


def repeat(cache, width):
    """Gives each of B sentences `width` rows: `(B, ...)` become `(B * width, ...)`."""

    def repeated(leaf):
        rest = leaf.shape[1:]
        # Not `ops.repeat`: PyTorch asks a tensor how often.
        copies = ops.tile(ops.expand_dims(leaf, 1), (1, width, *[1 for _ in rest]))
        return ops.reshape(copies, (-1, *rest))

    return keras.tree.map_structure(repeated, cache)


def rows(choices_BC, width):
    """Turns choices among the `width` entries of each sentence into rows.

    Choices `(B, C)` become rows `(B * C,)` of a flat `(B * width, ...)`.
    """
    # A cumulative sum, because exports do not like arange over a dynamic batch.
    first_B1 = (ops.cumsum(ops.ones_like(choices_BC[:, :1]), axis=0) - 1) * width
    return ops.reshape(choices_BC + first_B1, (-1,))


def reorder(cache, rows):
    """Takes rows `(R,)` over the leading axis of every leaf."""

    def taken(leaf):
        return ops.take(leaf, rows, axis=0)

    return keras.tree.map_structure(taken, cache)


def select(nested, sentences, count):
    """Some of `count` sentences, each with all rows that it has in each leaf.

    None stays None, and a scalar what it is.
    """

    def selected(leaf):
        if len(leaf.shape) == 0:
            return leaf
        rest = ops.shape(leaf)[1:]
        own = ops.reshape(leaf, (count, -1, *rest))
        return ops.reshape(ops.take(own, sentences, axis=0), (-1, *rest))

    return keras.tree.map_structure(selected, nested, none_is_leaf=False)


def stages(wanted, longest=None):
    """The lengths that a cache is to have, increasing.

    They are the wanted lengths, cut to the last of them and to `longest`, the positions
    of the model, if it has an end.

    Examples:
        >>> stages((10, 20, 15)), stages((10, 20, 99), longest=12)
        ((10, 15), (10, 12))
    """
    limit = wanted[-1]
    if longest is not None:
        limit = min(limit, longest)
    return tuple(sorted({min(length, limit) for length in wanted}))


def extend(cache, length):
    """Pads the axis before the last of every leaf with zeros, to `length` positions."""

    def padded(leaf):
        widths = [[0, 0] for _ in leaf.shape]
        widths[-2][1] = length - leaf.shape[-2]
        return ops.pad(leaf, widths)

    return keras.tree.map_structure(padded, cache)


def shorten(cache, length):
    """The first `length` positions of the axis before the last of every leaf."""

    def shortened(leaf):
        return leaf[..., :length, :]

    return keras.tree.map_structure(shortened, cache)
