"""How training goes: the learning curve of a run, the learning rate."""

import collections
from pathlib import Path

import numpy as np

from ..config import expect
from ..runs.run import read_log
from .canvas import canvas, suit


def learning_curve(run):
    """The loss of each epoch, in nats a token; held-out text's too, and its BLEU.

    Args:
        run: a run directory, whose `log.jsonl` is read; or the `History` that a model's
            `fit` gave.

    Raises:
        ValueError: if there is no epoch in the log, or an epoch of the `History` lacks
            what others have, as with a `validation_freq` of 2.
    """
    curves = _curves(run)
    expect(curves["nats"], "run", "hold the log of an epoch at least", run)
    figure, (axes,) = canvas((6.5, 4.0))
    _plot(axes, curves["nats"], "tab:blue", "training")
    held_out = curves["val_nats"]
    if held_out:
        _plot(axes, held_out, "tab:orange", "held-out text")
        best, epoch = min((loss, epoch) for epoch, loss in held_out.items())
        axes.text(epoch, best, f"best: {best:.2f}", ha="center", va="bottom")
    if curves["val_bleu"]:
        right = axes.twinx()
        _plot(right, curves["val_bleu"], "tab:green", "BLEU, held-out text")
        right.set(ylabel="BLEU")
    axes.set(xlabel="epoch", ylabel="loss, nats a target token")
    axes.locator_params("x", integer=True)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    return suit(figure)


def _plot(axes, curve, colour, label):
    axes.plot(*zip(*curve.items()), marker=".", color=colour, label=label)
    axes.set(ylim=(0, None))


def _curves(run):
    """What is logged of each epoch, by its name and the epoch's number."""
    curves = collections.defaultdict(dict)
    if hasattr(run, "history"):
        for name, values in run.history.items():
            curves[name] = dict(zip(_epochs(run, name), values, strict=True))
        return curves
    for row in read_log(Path(run, "log.jsonl")):
        for name, value in row.items():
            curves[name][row["epoch"]] = value
    return curves


def _epochs(history, name):
    """The epochs, counted from 1, that a `History` has values of this name for."""
    count = len(history.history[name])
    epochs = [number + 1 for number in getattr(history, "epoch", range(count))]
    must = f"hold {name} of each epoch, {len(epochs)} in all"
    expect(count == len(epochs), "run", must, count)
    return epochs


def schedule(schedules, updates=20_000):
    """Learning rates over the updates of training.

    Args:
        schedules: `WarmupSchedule`s, or other schedules of Keras, by their labels.
        updates: how many updates to show.

    Raises:
        ValueError: if there is no schedule, or updates is below 2.

    Examples:
        >>> figure = schedule({"base": WarmupSchedule(d_model=512)}, updates=8000)
        >>> round(float(figure.axes[0].get_lines()[0].get_ydata().max()), 6)
        0.000699
    """
    expect(schedules, "schedules", "be one or more", schedules)
    expect(updates > 1, "updates", "be 2 or more", updates)
    figure, (axes,) = canvas((6.5, 4.0))
    for label, rate in schedules.items():
        # The peak would fall between two of 500 points.
        peak = np.clip(getattr(rate, "warmup_updates", 1), 1, updates) - 1
        steps = np.unique([*np.linspace(0, updates - 1, 500, dtype=int), peak])
        rates = [float(rate(int(step))) for step in steps]
        axes.plot(steps + 1, rates, label=label)
    axes.set(xlabel="update", ylabel="learning rate", xlim=(0, updates), ylim=(0, None))
    axes.ticklabel_format(axis="y", scilimits=(0, 0))
    axes.grid(alpha=0.3)
    axes.legend()
    return suit(figure)
