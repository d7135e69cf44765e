"""Rows of a cache: what a search does to hypotheses, and nothing about attention, which does the writing.

A cache is any nested structure whose leaves have hypotheses on axis 0 and, where a
search grows it, positions on the axis before the last.
"""

import keras
from keras import ops


def repeat(cache, width):
    """Gives each of B sentences `width` rows: leaves (B, ...) become (B * width, ...)."""
    return keras.tree.map_structure(lambda leaf: ops.repeat(leaf, width, axis=0), cache)


def rows(choices_BC, width):
    """Turns choices (B, C) among the `width` entries of a sentence into rows (B * C,) of a flat (B * width, ...)."""
    # A cumulative sum, because exports do not like arange over a dynamic batch.
    first_B1 = (ops.cumsum(ops.ones_like(choices_BC[:, :1]), axis=0) - 1) * width
    return ops.reshape(choices_BC + first_B1, (-1,))


def reorder(cache, rows):
    """Takes rows (R,) over the leading axis of every leaf."""
    return keras.tree.map_structure(lambda leaf: ops.take(leaf, rows, axis=0), cache)


def extend(cache, length):
    """Pads the axis before the last of every leaf with zeros up to `length` positions."""

    def pad(leaf):
        return ops.pad(
            leaf,
            [[0, 0]] * (len(leaf.shape) - 2) + [[0, length - leaf.shape[-2]], [0, 0]],
        )

    return keras.tree.map_structure(pad, cache)
