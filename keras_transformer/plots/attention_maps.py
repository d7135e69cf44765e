"""What looks at what: attention weights, word alignments."""

import math

import numpy as np
from matplotlib.figure import Figure

from keras_transformer.plots.fonts import suit

# A grid has at most so many columns, and is about so wide.
GRID_COLUMNS = 4
GRID_INCHES = 18.0


def attention(weights, queries, keys, title=None):
    """Attention weights as shades: one head, or a grid of all.

    Args:
        weights: `(T, S)` for one head, `(N, T, S)` for a grid of N.
        queries: T tokens, which look; the rows.
        keys: S tokens, which are looked at; the columns.
        title: text above.

    Raises:
        ValueError: if the weights are not of these shapes.

    Example:
        >>> figure = attention(np.eye(2), ["ein", "Mann"], ["a", "man"])
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['ein', 'Mann']
    """
    weights = np.asarray(weights)
    heads = weights[None] if weights.ndim == 2 else weights
    height = len(queries)
    width = len(keys)
    if heads.ndim != 3 or heads.shape[1:] != (height, width):
        raise ValueError(
            f"weights must be (heads, {height}, {width}) or without heads, for as many "
            f"queries and keys; received {weights.shape}"
        )
    # Inches of a cell: small where there are many, never too small for a letter.
    whole = 5.0 if len(heads) == 1 else 2.5
    cell = float(np.clip(whole / max(height, width), 0.15, 0.45))
    font_size = float(np.clip(54 * cell, 7, 11))
    fit = max(1, int(GRID_INCHES / (cell * width)))
    columns = min(len(heads), GRID_COLUMNS, fit)
    rows = math.ceil(len(heads) / columns)
    letter = font_size / 110
    size = (
        columns * (cell * width + 0.2) + letter * _longest(queries) + 1.1,
        rows * (cell * height + 0.4) + letter * _longest(keys) + 0.6,
    )
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in grid[len(heads) :]:
        axes.remove()
    grid = grid[: len(heads)]
    for number, axes in enumerate(grid):
        shades = axes.pcolormesh(
            heads[number],
            cmap="Blues",
            vmin=0.0,
            vmax=heads.max(),
            edgecolors="0.92",
        )
        axes.set(aspect="equal", ylim=(height, 0))
        axes.xaxis.tick_top()
        # Labels stand at the edges of the grid only.
        names = keys if number < columns else []
        axes.set_xticks(np.arange(width) + 0.5, names, rotation=90, fontsize=font_size)
        names = queries if number % columns == 0 else []
        axes.set_yticks(np.arange(height) + 0.5, names, fontsize=font_size)
        axes.tick_params(length=0)
        if len(heads) > 1:
            axes.set_xlabel(f"head {number + 1}", fontsize=9)
    figure.colorbar(shades, ax=grid, shrink=0.6, label="weight")
    if title:
        figure.suptitle(title)
    return suit(figure)


def alignment(source, target, links, title=None):
    """The words of a sentence and of its translation, with lines between linked ones.

    Args:
        source: a sentence; its words are what whitespace separates.
        target: its translation.
        links: pairs of word numbers `(source, target)`, as `Translator.alignments`
            gives them.
        title: text above.

    Raises:
        ValueError: if a link names a word that is not there.

    Example:
        >>> figure = alignment("a man", "ein Mann", [(0, 0), (1, 1)])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['a', 'man', 'ein', 'Mann']
    """
    sides = source.split(), target.split()
    counts = [len(words) for words in sides]
    for i, j in links:
        if not (0 <= i < counts[0] and 0 <= j < counts[1]):
            raise ValueError(
                f"links must be pairs of numbers below {counts[0]} and {counts[1]}; "
                f"received {(i, j)}"
            )
    rows = max(1, *counts)
    letters = sum(map(_longest, sides))
    size = (2.2 + 0.1 * letters, 0.26 * rows + 0.6)
    figure = Figure(size, layout="constrained")
    axes = figure.subplots()
    heights = []
    for x, words in enumerate(sides):
        # A shorter side is spread over the height of the longer one.
        places = (np.arange(len(words)) + 0.5) * rows / max(1, len(words))
        heights.append(places)
        linked = {pair[x] for pair in links}
        for number, word in enumerate(words):
            axes.text(
                x,
                places[number],
                word,
                ha=("right", "left")[x],
                va="center",
                fontsize=10,
                color="black" if number in linked else "0.55",
            )
    for i, j in links:
        axes.plot([0.04, 0.96], [heights[0][i], heights[1][j]], color="tab:blue")
    axes.set(xlim=(0, 1), ylim=(rows, 0), title=title)
    axes.axis("off")
    return suit(figure)


def _longest(words):
    return max(map(len, words), default=0)
