"""What beam search kept, dropped and finished."""

from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from keras_transformer.plots.fonts import suit

COLOURS = {
    "best": "tab:blue",
    "finished": "tab:green",
    "kept": "black",
    "dropped": "0.6",
}
MEANING = {
    "best": "the translation",
    "finished": "finished (score)",
    "kept": "kept (log-probability)",
    "dropped": "dropped after this step",
}


class Node(NamedTuple):
    """A hypothesis in the picture."""

    column: int  # the step
    rank: int  # from the best of the column down
    kind: str  # a name of `COLOURS`
    number: float  # score of a finished one, log-probability of another


def beam_tree(steps, title=None):
    """The hypotheses of a beam search as a tree.

    Each step is a column, in it the hypotheses from the best down. Under each token
    stands the log-probability of the hypothesis that it extends, or, if that is
    finished, its score.

    Args:
        steps: what `Translator.trace` gives.
        title: text above.

    Raises:
        ValueError: if there is no step.
    """
    if len(steps) < 2:
        raise ValueError(
            "steps must hold a step after the first state at least; "
            f"received {len(steps)}"
        )
    nodes = _nodes(steps)
    height = 1 + max(node.rank for node in nodes.values())
    depth = len(steps) - 1
    letters = max(6, *(len(tokens[-1]) for tokens, _ in nodes))
    width = max(5.0, (0.35 + 0.085 * letters) * depth + 0.5)
    figure = Figure((width, 0.5 * height + 1.0), layout="constrained")
    axes = figure.subplots()
    for (tokens, _), node in nodes.items():
        before = nodes.get((tokens[:-1], False), Node(0, 0, "", 0.0))
        _draw(axes, tokens[-1], node, before)
    axes.set(
        title=title,
        xlabel="step",
        xlim=(-0.2, depth + 0.6),
        ylim=(height - 0.4, -0.6),
        xticks=range(1, depth + 1),
        yticks=[],
    )
    axes.spines[["left", "right", "top"]].set_visible(False)
    shown = {node.kind for node in nodes.values()}
    handles = [
        Line2D([], [], color=colour, label=MEANING[kind])
        for kind, colour in COLOURS.items()
        if kind in shown
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return suit(figure)


def _draw(axes, token, node, before):
    """A token in its box, and the line from the hypothesis that it extends."""
    colour = COLOURS[node.kind]
    axes.plot(
        [before.column, node.column],
        [before.rank, node.rank],
        color=colour,
        linewidth=2.0 if node.kind == "best" else 0.8,
    )
    axes.text(
        node.column,
        node.rank,
        f"{token}\n{node.number:.2f}",
        ha="center",
        va="center",
        fontsize=8,
        color=colour,
        bbox=dict(boxstyle="round,pad=0.25", facecolor="white", edgecolor=colour),
    )


def _nodes(steps):
    """The `Node` of each hypothesis, by its tokens and whether it is finished."""
    ended = [tokens for tokens, _ in steps[-1].finished]
    best = ended[0] if ended else ()
    extended = {
        tokens[:-1] for step in steps for tokens, _ in (*step.live, *step.finished)
    }
    nodes = {}
    for column in range(1, len(steps)):
        step = steps[column]
        known = {tokens for tokens, _ in steps[column - 1].finished}
        new = [found for found in step.finished if found[0] not in known]
        for rank, (tokens, number) in enumerate([*new, *step.live]):
            is_finished = rank < len(new)
            if tokens == best[:column] and is_finished == (column == len(best)):
                kind = "best"
            elif is_finished:
                kind = "finished" if tokens in ended else "dropped"
            else:
                kind = "kept" if tokens in extended else "dropped"
            nodes[tokens, is_finished] = Node(column, rank, kind, number)
    return nodes
