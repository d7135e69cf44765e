"""What beam search kept, dropped and finished."""

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


def beam_tree(steps, title=None):
    """The hypotheses of a beam search as a tree: a column for each step, in it the hypotheses from the best down.

    Under each token stands the log-probability of the hypothesis that it extends, or,
    if that is finished, its score.

    Args:
        steps: what `Translator.trace` gives.
        title: text above.

    Raises:
        ValueError: if there is no step.
    """
    nodes = _nodes(steps)
    if not nodes:
        raise ValueError(
            f"steps must hold a step after the first state at least; received {len(steps)}"
        )
    height = 1 + max(rank for _, rank, _, _ in nodes.values())
    depth = max(column for column, *_ in nodes.values())
    widest = max(len(tokens[-1]) for tokens, _ in nodes)
    figure = Figure(
        (max(5.0, (0.35 + 0.085 * max(widest, 6)) * depth + 0.5), 0.5 * height + 1.0),
        layout="constrained",
    )
    axes = figure.subplots()
    for (tokens, _), (column, rank, kind, number) in nodes.items():
        colour = COLOURS[kind]
        before = nodes.get((tokens[:-1], False), (0, 0, "", 0.0))
        axes.plot(
            [before[0], column],
            [before[1], rank],
            color=colour,
            zorder=1,
            linewidth=2.0 if kind == "best" else 0.8,
        )
        box = dict(boxstyle="round,pad=0.25", facecolor="white", edgecolor=colour)
        label = f"{tokens[-1]}\n{number:.2f}"
        axes.text(
            column,
            rank,
            label,
            ha="center",
            va="center",
            fontsize=8,
            color=colour,
            bbox=box,
            zorder=2,
        )
    axes.set(
        xlim=(-0.2, depth + 0.6),
        ylim=(height - 0.4, -0.6),
        xticks=range(1, depth + 1),
        yticks=[],
    )
    axes.set_xlabel("step")
    axes.spines[["left", "right", "top"]].set_visible(False)
    kinds = [
        kind for kind in COLOURS if any(node[2] == kind for node in nodes.values())
    ]
    handles = [
        Line2D([], [], color=COLOURS[kind], label=MEANING[kind]) for kind in kinds
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        fontsize=9,
    )
    if title:
        axes.set_title(title)
    return suit(figure)


def _nodes(steps):
    """(tokens, whether finished) -> (column, rank in it, kind, number), in order."""
    if not steps:
        return {}
    kept_at_the_end = {tokens for tokens, _ in steps[-1].finished}
    best = steps[-1].finished[0][0] if steps[-1].finished else ()
    nodes = {}
    for column, (before, step) in enumerate(zip(steps, steps[1:]), start=1):
        later = {
            tokens[:-1]
            for after in steps[column + 1 :]
            for tokens, _ in (*after.live, *after.finished)
        }
        known = {tokens for tokens, _ in before.finished}
        new = [
            (tokens, number) for tokens, number in step.finished if tokens not in known
        ]
        for rank, (tokens, number) in enumerate(new):
            kind = (
                "best"
                if tokens == best
                else "finished"
                if tokens in kept_at_the_end
                else "dropped"
            )
            nodes[tokens, True] = column, rank, kind, number
        for rank, (tokens, number) in enumerate(step.live, start=len(new)):
            on_the_way = tokens == best[:column] and len(best) > column
            nodes[tokens, False] = (
                column,
                rank,
                "best" if on_the_way else "kept" if tokens in later else "dropped",
                number,
            )
    return nodes
