"""What beam search kept, dropped and finished."""

from typing import NamedTuple

from ..config import expect
from .canvas import canvas, suit

COLOURS = dict(best="tab:blue", finished="tab:green", kept="black", dropped="0.6")


class Node(NamedTuple):
    """A hypothesis in the picture."""

    column: int
    rank: int  # from the best of the column down
    kind: str  # of `COLOURS`
    number: float


def beam_tree(steps):
    """The hypotheses of a beam search as a tree.

    Each step is a column, in it the hypotheses from the best down. Under each token
    stands the log-probability of the hypothesis that it extends, or, if that is
    finished, its score.

    Args:
        steps: what `Translator.trace` gives.

    Raises:
        ValueError: if there is no step.
    """
    count = len(steps)
    expect(count > 1, "steps", "hold a step after the first state at least", count)
    nodes = _nodes(steps)
    height = 1 + max(node.rank for node in nodes.values())
    letters = max(6, *(len(tokens[-1]) for tokens, _ in nodes))
    width = (0.35 + 0.085 * letters) * (count - 1) + 0.5
    figure, (axes,) = canvas((max(5, width), 0.5 * height + 1))
    lines = {}
    for (tokens, _), node in nodes.items():
        before = nodes.get((tokens[:-1], False), Node(0, 0, "", 0.0))
        lines[node.kind] = _draw(axes, tokens[-1], node, before)
    axes.set(xlim=(-0.2, count - 0.4), xticks=range(1, count), xlabel="step")
    axes.set(ylim=(height - 0.4, -0.6), yticks=[], frame_on=False)
    figure.legend(lines.values(), lines, loc="outside lower center", ncols=4)
    return suit(figure)


def _draw(axes, token, node, before):
    """A token in its box, and, returned, the line from what it extends."""
    colour = COLOURS[node.kind]
    width = 2.0 if node.kind == "best" else 0.8
    label = f"{token}\n{node.number:.2f}"
    box = dict(boxstyle="round,pad=0.25", facecolor="white", edgecolor=colour)
    axes.text(
        *node[:2],
        label,
        color=colour,
        ha="center",
        va="center",
        fontsize=8,
        bbox=box,
    )
    (line,) = axes.plot(*zip(before[:2], node[:2]), color=colour, linewidth=width)
    return line


def _nodes(steps):
    """The `Node` of each hypothesis, by its tokens and whether it is finished."""
    ended = [tokens for tokens, _ in steps[-1].finished]
    best = ended[0] if ended else ()
    extended = set()
    for step in steps:
        extended |= {tokens[:-1] for tokens, _ in step.live + step.finished}
    nodes = {}
    known = set()
    for column, step in enumerate(steps[1:], start=1):
        new = [found for found in step.finished if found[0] not in known]
        known = {tokens for tokens, _ in step.finished}
        for rank, (tokens, number) in enumerate([*new, *step.live]):
            is_finished = rank < len(new)
            kind = "dropped"
            if tokens == best[:column] and is_finished == (column == len(best)):
                kind = "best"
            elif is_finished and tokens in ended:
                kind = "finished"
            elif not is_finished and tokens in extended:
                kind = "kept"
            nodes[tokens, is_finished] = Node(column, rank, kind, number)
    return nodes
