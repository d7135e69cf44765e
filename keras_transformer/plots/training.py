"""How training goes: the learning curve of a run, the learning rate."""

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from keras_transformer.plots.fonts import suit


def learning_curve(run, title=None):
    """The loss of each epoch, in training and on held-out text; BLEU if measured.

    The loss is in nats a target token.

    Args:
        run: a run directory, whose `log.jsonl` is read; or the `History` that a model's
            `fit` gave.
        title: text above.

    Raises:
        ValueError: if there is no epoch in the log, or it cannot be read.
    """
    curves = _curves(run)
    if not curves["nats"]:
        raise ValueError(
            f"run must hold the log of an epoch at least; received {run!r}"
        )
    figure = Figure((6.5, 4.0), layout="constrained")
    axes = figure.subplots()
    _plot(axes, curves["nats"], "tab:blue", "training")
    if curves["val_nats"]:
        _plot(axes, curves["val_nats"], "tab:orange", "held-out text")
        best, epoch = min((loss, epoch) for epoch, loss in curves["val_nats"].items())
        axes.annotate(
            f"best: {best:.2f}",
            (epoch, best),
            (0, 10),
            textcoords="offset points",
            ha="center",
        )
        axes.margins(x=0.08)  # room for these words at the last epoch
    axes.set(title=title, xlabel="epoch", ylabel="loss, nats a target token")
    axes.set_ylim(0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    if curves["val_bleu"]:
        right = axes.twinx()
        _plot(right, curves["val_bleu"], "tab:green", "BLEU, held-out text")
        right.set(ylabel="BLEU", ylim=(0, None))
    lines = [line for part in figure.axes for line in part.get_lines()]
    axes.legend(
        handles=lines, loc="upper center", ncols=len(lines), bbox_to_anchor=(0.5, -0.18)
    )
    return suit(figure)


def _plot(axes, curve, colour, label):
    axes.plot(list(curve), list(curve.values()), marker=".", color=colour, label=label)


def _curves(run):
    """The value after each epoch, by the epoch's number, of all that is drawn."""
    names = ("nats", "val_nats", "val_bleu")
    if hasattr(run, "history"):
        return {
            name: dict(enumerate(run.history.get(name, ()), start=1)) for name in names
        }
    path = Path(run) / "log.jsonl"
    try:
        log = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        epochs = [row["epoch"] for row in log]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"run must hold a log.jsonl that `train` wrote; received {str(path)!r}: "
            f"{error}"
        ) from None
    return {
        name: {epoch: row[name] for epoch, row in zip(epochs, log) if name in row}
        for name in names
    }


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
            "schedules must be one or more, updates 2 or more; "
            f"received {schedules!r}, {updates!r}"
        )
    figure = Figure((6.5, 4.0), layout="constrained")
    axes = figure.subplots()
    for label, rate in schedules.items():
        steps = np.linspace(0, updates - 1, 500).astype(int)
        # The peak would fall between two of 500 points.
        peak = getattr(rate, "warmup_updates", 0) - 1
        if 0 <= peak < updates:
            steps = np.append(steps, peak)
        steps = np.unique(steps)
        axes.plot(steps + 1, [float(rate(int(step))) for step in steps], label=label)
    axes.set(title=title, xlabel="update", ylabel="learning rate", xlim=(0, updates))
    axes.set_ylim(0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    axes.grid(alpha=0.3)
    axes.legend()
    return suit(figure)
