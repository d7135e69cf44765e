"""Parts of the model that can be drawn without training it: positions and masks."""

import numpy as np
from keras import ops
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from keras_transformer.plots.fonts import suit

ALLOWED = "#4c8dc4"
FORBIDDEN = "#eeeeee"


def positions(embedding, length=64, title=None):
    """The position vectors as shades, and how alike any two of them are (their cosine).

    Args:
        embedding: a `PositionalEmbedding`.
        length: how many positions to show.
        title: text above.

    Raises:
        ValueError: if length is below 1, or beyond a learned table.

    Example:
        >>> embedding = PositionalEmbedding(vocab_size=11, d_model=8)
        >>> figure = positions(embedding, length=5)
        >>> figure.axes[0].images[0].get_array().shape
        (5, 8)
    """
    longest = float("inf")
    if embedding.positions == "learned":
        longest = embedding.max_positions
    if not 1 <= length <= longest:
        raise ValueError(f"length must be between 1 and {longest}; received {length!r}")
    if not embedding.built:
        embedding.build()
    numbers = np.arange(length, dtype="int32")[None]
    vectors = ops.convert_to_numpy(embedding.encode(numbers))[0]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    figure = Figure((10.0, 4.2), layout="constrained")
    table, likeness = figure.subplots(1, 2, width_ratios=[1.3, 1.0])
    _shades(table, vectors, np.abs(vectors).max(), aspect="auto")
    table.set(xlabel="dimension", ylabel="position", title="position vectors")
    _shades(likeness, unit @ unit.T, 1.0)
    likeness.set(xlabel="position", ylabel="position", title="cosine of two positions")
    if title:
        figure.suptitle(title)
    return suit(figure)


def _shades(axes, values, limit, **options):
    """A matrix from red at -limit to blue at limit, and the scale beside it."""
    options.update(cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.figure.colorbar(axes.imshow(values, **options), ax=axes)


def masks(masks, title=None):
    """Boolean masks side by side: who may look at what.

    Args:
        masks: arrays by their names: `(T, S)`, queries and keys; or `(B, T, S)`, of
            which the first is shown, except that of `(B, 1, S)`, a padding mask, each
            sentence is a row.
        title: text above.

    Raises:
        ValueError: if there is none, or one is not boolean or has not two or three
            axes.

    Example:
        >>> figure = masks({"causal": np.tri(3, dtype=bool)})
        >>> figure.axes[0].get_title(), figure.axes[0].images[0].get_array().tolist()
        ('causal', [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    """
    arrays = {name: ops.convert_to_numpy(mask) for name, mask in masks.items()}
    wrong = {
        name: (mask.dtype.name, mask.shape)
        for name, mask in arrays.items()
        if mask.dtype != bool or mask.ndim not in (2, 3)
    }
    if wrong or not masks:
        raise ValueError(
            "masks must be one or more boolean arrays of two or three axes; "
            f"received {wrong}"
        )
    figure = Figure((0.8 + 3.2 * len(arrays), 3.6), layout="constrained")
    panels = figure.subplots(1, len(arrays), squeeze=False)[0]
    for axes, (name, mask) in zip(panels, arrays.items()):
        _mask(axes, name, mask)
    legend = [
        Patch(color=ALLOWED, label="may look"),
        Patch(color=FORBIDDEN, label="may not"),
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=2)
    if title:
        figure.suptitle(title)
    return suit(figure)


def _mask(axes, name, mask):
    rows = "query position"
    if mask.ndim == 3 and mask.shape[1] == 1:
        rows = "sentence"
        mask = mask[:, 0]
    elif mask.ndim == 3:
        mask = mask[0]
    # From 0 to 1 whatever the mask: one that is True everywhere must not take the other
    # colour.
    axes.imshow(
        mask.astype("int8"),
        cmap=ListedColormap([FORBIDDEN, ALLOWED]),
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    axes.set(title=name, xlabel="key position", ylabel=rows)
    for axis, size in zip((axes.yaxis, axes.xaxis), mask.shape):
        axis.set_ticks(np.arange(size + 1) - 0.5, minor=True)
        axis.get_major_locator().set_params(integer=True)
    axes.grid(which="minor", color="white", linewidth=1)
    axes.tick_params(which="minor", length=0)
