"""What looks at what: attention weights, word alignments."""

import numpy as np
from matplotlib.figure import Figure

from keras_transformer.plots.fonts import suit

# A grid has at most so many columns, and is about so wide.
GRID_COLUMNS, GRID_INCHES = 4, 18.0


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
    if heads.ndim != 3 or heads.shape[1:] != (len(queries), len(keys)):
        raise ValueError(
            f"weights must be (heads, {len(queries)}, {len(keys)}) or without heads, for as many queries and keys; "
            f"received {weights.shape}"
        )
    # Inches of a cell: small where there are many, never too small for a letter.
    cell = np.clip(
        5.0 / max(len(queries), len(keys)) / (1 if len(heads) == 1 else 2), 0.15, 0.45
    )
    font_size = float(np.clip(54 * cell, 7, 11))
    columns = min(
        len(heads), GRID_COLUMNS, max(1, int(GRID_INCHES / (cell * len(keys))))
    )
    rows = -(-len(heads) // columns)
    letters = [
        max(map(len, tokens), default=0) * font_size / 110 for tokens in (queries, keys)
    ]
    size = (
        columns * (cell * len(keys) + 0.2) + letters[0] + 1.1,
        rows * (cell * len(queries) + 0.4) + letters[1] + 0.6,
    )
    figure = Figure(size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in grid[len(heads) :]:
        axes.remove()
    for number, axes in enumerate(grid[: len(heads)]):
        shades = dict(
            cmap="Blues", vmin=0.0, vmax=heads.max(), edgecolors="0.92", linewidth=0.5
        )
        mesh = axes.pcolormesh(heads[number], **shades)
        axes.set(aspect="equal", ylim=(len(queries), 0))
        axes.xaxis.tick_top()
        first_row, first_column = number < columns, number % columns == 0
        axes.set_xticks(
            np.arange(len(keys)) + 0.5,
            keys if first_row else [],
            rotation=90,
            fontsize=font_size,
        )
        axes.set_yticks(
            np.arange(len(queries)) + 0.5,
            queries if first_column else [],
            fontsize=font_size,
        )
        axes.tick_params(length=0)
        axes.spines[:].set_color("0.8")
        if len(heads) > 1:
            axes.set_xlabel(f"head {number + 1}", fontsize=9)
    figure.colorbar(
        mesh, ax=grid[: len(heads)], shrink=0.6, aspect=30, pad=0.02, label="weight"
    )
    if title:
        figure.suptitle(title)
    return suit(figure)


def alignment(source, target, links, title=None):
    """The words of a sentence and of its translation, from top to bottom, with lines between linked ones.

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
    wrong = [
        pair
        for pair in links
        if not all(0 <= n < len(words) for n, words in zip(pair, sides, strict=True))
    ]
    if wrong:
        raise ValueError(
            f"links must be pairs of numbers below {len(sides[0])} and {len(sides[1])}; received {wrong[0]!r}"
        )
    rows = max(1, *map(len, sides))
    letters = sum(max(map(len, words), default=0) for words in sides)
    figure = Figure((2.2 + 0.1 * letters, 0.26 * rows + 0.6), layout="constrained")
    axes = figure.subplots()
    # A shorter side is spread over the height of the longer one.
    places = [
        (np.arange(len(words)) + 0.5) * rows / max(1, len(words)) for words in sides
    ]
    for x, words, heights, side in zip((0, 1), sides, places, ("right", "left")):
        linked = {pair[x] for pair in links}
        for number, (word, height) in enumerate(zip(words, heights)):
            colour = "black" if number in linked else "0.55"
            axes.text(x, height, word, ha=side, va="center", fontsize=10, color=colour)
    for i, j in links:
        axes.plot(
            [0.04, 0.96],
            [places[0][i], places[1][j]],
            color="tab:blue",
            linewidth=1.2,
            alpha=0.8,
        )
    axes.set(xlim=(0, 1), ylim=(rows, 0))
    axes.axis("off")
    if title:
        axes.set_title(title)
    return suit(figure)
