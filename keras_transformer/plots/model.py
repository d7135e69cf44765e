"""Parts of the model: attention weights, word alignments, masks, positions."""

import math

import numpy as np
from keras import ops
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from ..config import expect
from .canvas import canvas, suit

COLOURS = {"may not look": "#eeeeee", "may look": "#4c8dc4"}


def attention(weights, queries, keys, title=None):
    """Attention weights as shades: one head, or a grid of all.

    Args:
        weights: `(T, S)` for one head, `(N, T, S)` for a grid of N.
        queries: T tokens, which look; the rows.
        keys: S tokens, which are looked at; the columns.
        title: text above, if any.

    Raises:
        ValueError: if the weights are not of these shapes.

    Examples:
        >>> figure = attention(np.eye(2), ["ein", "Mann"], ["a", "man"])
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['ein', 'Mann']
    """
    weights = np.asarray(weights)
    heads = weights[None] if weights.ndim == 2 else weights
    height = len(queries)
    width = len(keys)
    shape = (height, width)
    expectation = f"be {shape}, queries and keys, or that for each head"
    expect(heads.shape[1:] == shape, "weights", expectation, weights.shape)
    columns = min(len(heads), 4)
    rows = math.ceil(len(heads) / columns)
    # Inches of a cell: small where there are many, never too small for a letter.
    cell = np.clip(9 / columns / max(shape), 0.15, 0.45)
    font_size = 7 if cell < 0.2 else 10
    across = columns * (cell * width + 0.2) + 0.09 * _longest(queries) + 1.1
    down = rows * (cell * height + 0.4) + 0.09 * _longest(keys) + 0.6
    figure, grid = canvas((across, down), rows, columns)
    for axes in grid[len(heads) :]:
        axes.remove()
    for number, head in enumerate(heads):
        axes = grid[number]
        picture = shades(axes, head, "Blues", 0, heads.max())
        # Labels stand at the edges of the grid only.
        names = keys if number < columns else [""] * width
        axes.set_xticks(range(width), names, rotation=90)
        names = queries if number % columns == 0 else [""] * height
        axes.set_yticks(range(height), names)
        axes.tick_params(length=0, labelsize=font_size)
        axes.xaxis.tick_top()
        if len(heads) > 1:
            axes.set_xlabel(f"head {number + 1}")
    figure.colorbar(picture, ax=figure.axes, shrink=0.6, label="weight")
    figure.suptitle(title or "")
    return suit(figure)


def shades(axes, matrix, colours, low, high):
    """Draw a matrix as shades, `low` in the first colour and `high` in the last."""
    return axes.imshow(matrix, colours, interpolation="nearest", vmin=low, vmax=high)


def alignment(source, target, links):
    """The words of a sentence and of its translation, with lines between linked ones.

    Args:
        source: a sentence; its words are what whitespace separates.
        target: its translation.
        links: pairs of word numbers `(source, target)`, as `Translator.alignments`
            gives them.

    Raises:
        ValueError: if a link names a word that is not there.

    Examples:
        >>> figure = alignment("a man", "ein Mann", [(0, 0), (1, 1)])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['a', 'man', 'ein', 'Mann']
    """
    sides = source.split(), target.split()
    counts = [len(words) for words in sides]
    expectation = "be pairs of numbers below {} and {}".format(*counts)
    for i, j in links:
        is_there = 0 <= i < counts[0] and 0 <= j < counts[1]
        expect(is_there, "links", expectation, (i, j))
    rows = max(1, *counts)
    width = 2.2 + 0.1 * sum(map(_longest, sides))
    figure, (axes,) = canvas((width, 0.26 * rows + 0.6))
    # A shorter side is spread over the height of the longer one.
    steps = [rows / max(1, count) for count in counts]
    for side, words in enumerate(sides):
        linked = {pair[side] for pair in links}
        style = dict(ha=("right", "left")[side], va="center")
        for number, word in enumerate(words):
            style["color"] = "black" if number in linked else "0.55"
            axes.text(side, number * steps[side], word, **style)
    for pair in links:
        axes.plot([0.04, 0.96], np.multiply(pair, steps), color="tab:blue")
    axes.set(xlim=(0, 1), ylim=(rows - 0.5, -0.5))
    axes.axis("off")
    return suit(figure)


def positions(embedding, length=64):
    """The position vectors as shades, and how alike any two of them are (their cosine).

    Args:
        embedding: a `PositionalEmbedding`.
        length: how many positions to show.

    Raises:
        ValueError: if length is below 1, or beyond a learned table.

    Examples:
        >>> embedding = PositionalEmbedding(vocab_size=11, d_model=8)
        >>> figure = positions(embedding, length=5)
        >>> figure.axes[0].images[0].get_array().shape
        (5, 8)
    """
    longest = math.inf
    if embedding.positions == "learned":
        longest = embedding.max_positions
    expect(1 <= length <= longest, "length", f"be between 1 and {longest}", length)
    if not embedding.built:
        embedding.build()
    numbers = ops.arange(length)[None]
    vectors = ops.convert_to_numpy(embedding.encode(numbers))[0]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    figure, (table, likeness) = canvas((10.0, 4.2), columns=2)
    table.set(xlabel="dimension", title="position vectors")
    likeness.set(xlabel="position", title="cosine of two positions")
    for axes, matrix in ((table, vectors), (likeness, unit @ unit.T)):
        most = np.abs(matrix).max()
        figure.colorbar(shades(axes, matrix, "RdBu", -most, most), ax=axes)
        axes.set(ylabel="position", aspect="auto")
    return suit(figure)


def masks(masks):
    """Boolean masks side by side: who may look at what.

    Args:
        masks: arrays by their names: `(T, S)`, queries and keys; or `(B, T, S)`, of
            which the first is shown, except that of `(B, 1, S)`, a padding mask, each
            sentence is a row.

    Raises:
        ValueError: if there is none, or one is not boolean or has not two or three
            axes.

    Examples:
        >>> figure = masks({"causal": np.tri(3, dtype=bool)})
        >>> figure.axes[0].get_title(), figure.axes[0].images[0].get_array().tolist()
        ('causal', [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    """
    arrays = {name: ops.convert_to_numpy(mask) for name, mask in masks.items()}
    expect(masks, "masks", "be one or more", masks)
    for name, mask in arrays.items():
        expect(mask.dtype == bool, name, "be boolean", mask.dtype.name)
        expect(mask.ndim in (2, 3), name, "have two or three axes", mask.shape)
    count = len(arrays)
    colours = ListedColormap(COLOURS.values())
    figure, panels = canvas((0.8 + 3.2 * count, 3.6), columns=count)
    for axes, (name, mask) in zip(panels, arrays.items()):
        rows = "query position"
        if mask.ndim == 3 and mask.shape[1] == 1:
            rows = "sentence"
            mask = mask[:, 0]
        elif mask.ndim == 3:
            mask = mask[0]
        shades(axes, mask.astype("int8"), colours, 0, 1)
        axes.set(title=name, xlabel="key position", ylabel=rows)
        axes.locator_params(integer=True)
    patches = [Patch(color=colour) for colour in COLOURS.values()]
    figure.legend(patches, COLOURS, loc="outside lower center", ncols=2)
    return suit(figure)


def _longest(words):
    return max(map(len, words), default=0)
