"""Parts of the model that can be drawn without training it: positions and masks."""

import numpy as np
from keras import ops
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from keras_transformer.plots.fonts import suit

ALLOWED, FORBIDDEN = "#4c8dc4", "#eeeeee"


def positions(embedding, length=64, title=None):
    """The position vectors as shades, and how alike any two of them are (their cosine).

    Args:
        embedding: a `PositionalEmbedding`.
        length: how many positions to show.
        title: text above.

    Raises:
        ValueError: if length is below 1, or beyond a learned table.

    Example:
        >>> figure = positions(PositionalEmbedding(vocab_size=11, d_model=8), length=5)
        >>> figure.axes[0].images[0].get_array().shape
        (5, 8)
    """
    longest = (
        embedding.max_positions if embedding.positions == "learned" else float("inf")
    )
    if not 1 <= length <= longest:
        raise ValueError(f"length must be between 1 and {longest}; received {length!r}")
    if not embedding.built:
        embedding.build()
    vectors = ops.convert_to_numpy(
        embedding.encode(np.arange(length, dtype="int32")[None])
    )[0]
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    figure = Figure((10.0, 4.2), layout="constrained")
    table, likeness = figure.subplots(1, 2, width_ratios=[1.3, 1.0])
    largest = np.abs(vectors).max()
    image = table.imshow(
        vectors,
        cmap="RdBu",
        vmin=-largest,
        vmax=largest,
        aspect="auto",
        interpolation="nearest",
    )
    table.set(xlabel="dimension", ylabel="position", title="position vectors")
    figure.colorbar(image, ax=table)
    alike = vectors @ vectors.T / (norms * norms.T)
    image = likeness.imshow(
        alike, cmap="RdBu", vmin=-1.0, vmax=1.0, interpolation="nearest"
    )
    likeness.set(xlabel="position", ylabel="position", title="cosine of two positions")
    figure.colorbar(image, ax=likeness)
    if title:
        figure.suptitle(title)
    return suit(figure)


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
        >>> figure = masks({"causal": causal_mask(np.array([[0, 1, 2]]), np.array([[0, 1, 2]]))})
        >>> figure.axes[0].get_title(), figure.axes[0].images[0].get_array().tolist()
        ('causal', [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    """
    arrays = {name: ops.convert_to_numpy(mask) for name, mask in masks.items()}
    wrong = {
        name: (a.dtype.name, a.shape)
        for name, a in arrays.items()
        if a.dtype != bool or a.ndim not in (2, 3)
    }
    if wrong or not masks:
        raise ValueError(
            f"masks must be one or more boolean arrays of two or three axes; received {wrong}"
        )
    panels = {}
    for name, mask in arrays.items():
        by_sentence = mask.ndim == 3 and mask.shape[1] == 1
        panels[name] = (
            mask[:, 0] if by_sentence else mask.reshape(-1, *mask.shape[-2:])[0]
        )
        panels[name] = panels[name], "sentence" if by_sentence else "query position"
    figure = Figure((0.8 + 3.2 * len(panels), 3.6), layout="constrained")
    for axes, (name, (mask, rows)) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels.items()
    ):
        # From 0 to 1 whatever the mask: one that is True everywhere must not take the
        # other colour.
        colours = ListedColormap([FORBIDDEN, ALLOWED])
        axes.imshow(
            mask.astype("int8"), cmap=colours, vmin=0, vmax=1, interpolation="nearest"
        )
        axes.set(title=name, xlabel="key position", ylabel=rows)
        axes.set_xticks(np.arange(mask.shape[1] + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(mask.shape[0] + 1) - 0.5, minor=True)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.tick_params(which="minor", length=0)
    legend = [
        Patch(color=ALLOWED, label="may look"),
        Patch(color=FORBIDDEN, label="may not"),
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=2)
    if title:
        figure.suptitle(title)
    return suit(figure)
