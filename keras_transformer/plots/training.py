"""How training goes: the learning curve of a run, the learning rate."""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from keras_transformer.plots.fonts import suit


def learning_curve(run, title=None):
    """The loss of each epoch, in nats a target token, in training and on held-out text; BLEU beside it if measured.

    Args:
        run: a run directory, whose `log.jsonl` is read; or the `History` that a model's
            `fit` gave.
        title: text above.

    Raises:
        ValueError: if there is no epoch in the log, or it cannot be read.
    """
    names = ("nats", "val_nats", "val_bleu")
    if hasattr(run, "history"):
        curves = {
            name: list(enumerate(run.history.get(name, ()), start=1)) for name in names
        }
    else:
        log = _read(Path(run) / "log.jsonl")
        curves = {
            name: [(epoch["epoch"], epoch[name]) for epoch in log if name in epoch]
            for name in names
        }
    if not curves["nats"]:
        raise ValueError(
            f"run must hold the log of an epoch at least; received {run!r}"
        )
    figure = Figure((6.5, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*curves["nats"]), marker=".", color="tab:blue", label="training")
    if curves["val_nats"]:
        axes.plot(
            *zip(*curves["val_nats"]),
            marker=".",
            color="tab:orange",
            label="held-out text",
        )
        epoch, best = min(curves["val_nats"], key=lambda pair: pair[1])
        axes.annotate(
            f"best: {best:.2f}",
            (epoch, best),
            (0, 10),
            textcoords="offset points",
            ha="center",
        )
        axes.margins(x=0.08)  # room for these words at the last epoch
    axes.set(
        xlabel="epoch", ylabel="loss, nats a target token", ylim=(0, None), title=title
    )
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    if curves["val_bleu"]:
        right = axes.twinx()
        right.plot(
            *zip(*curves["val_bleu"]),
            marker=".",
            color="tab:green",
            label="BLEU, held-out text",
        )
        right.set(ylabel="BLEU", ylim=(0, None))
    lines = [line for part in figure.axes for line in part.get_lines()]
    axes.legend(
        handles=lines, loc="upper center", ncols=len(lines), bbox_to_anchor=(0.5, -0.18)
    )
    return suit(figure)


def _read(path):
    try:
        log = [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        if not all(isinstance(line, dict) and "epoch" in line for line in log):
            raise ValueError("a line of it is about no epoch")
        return log
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"run must hold a log.jsonl that `train` wrote; received {str(path)!r}: {error}"
        ) from None


def schedule(schedules, updates=20_000, title=None):
    """Learning rates over the updates of training.

    Args:
        schedules: `WarmupSchedule`s, or other schedules of Keras, by their labels.
        updates: how many updates to show.
        title: text above.

    Raises:
        ValueError: if there is no schedule, or updates is below 2.

    Example:
        >>> figure = schedule({"base": WarmupSchedule(d_model=512)}, updates=8000)
        >>> round(float(figure.axes[0].get_lines()[0].get_ydata().max()), 6)
        0.000699
    """
    if not schedules or updates < 2:
        raise ValueError(
            f"schedules must be one or more, updates 2 or more; received {schedules!r}, {updates!r}"
        )
    figure = Figure((6.5, 4.0), layout="constrained")
    axes = figure.subplots()
    for label, rate in schedules.items():
        steps = {0, updates - 1, *np.linspace(0, updates - 1, 500).astype(int).tolist()}
        # The peak would fall between two of 500 points.
        steps |= (
            {rate.warmup_updates - 1}
            if 0 < getattr(rate, "warmup_updates", 0) <= updates
            else set()
        )
        steps = sorted(steps)
        axes.plot(np.add(steps, 1), [float(rate(step)) for step in steps], label=label)
    axes.set(
        xlabel="update",
        ylabel="learning rate",
        xlim=(0, updates),
        ylim=(0, None),
        title=title,
    )
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    axes.grid(alpha=0.3)
    axes.legend()
    return suit(figure)
