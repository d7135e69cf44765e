import json

import keras
import numpy as np
import pytest

from keras_transformer.plots import learning_curve, schedule
from keras_transformer.training.schedule import WarmupSchedule


@pytest.fixture
def run(tmp_path):
    def run(*epochs):
        lines = [
            json.dumps({"epoch": number, **values})
            for number, values in enumerate(epochs, start=1)
        ]
        (tmp_path / "log.jsonl").write_text("".join(line + "\n" for line in lines))
        return tmp_path

    return run


def curves(figure):
    return {
        line.get_label(): line.get_xydata().tolist()
        for axes in figure.axes
        for line in axes.get_lines()
    }


def test_learning_curve(run):
    values = [(3.0, 2.5, 10.0), (2.0, 1.5, 20.0), (1.0, 1.75, 15.0)]
    figure = learning_curve(
        run(*({"nats": a, "val_nats": b, "val_bleu": c} for a, b, c in values)),
        title="demo",
    )
    assert curves(figure) == {
        "training": [[1, 3.0], [2, 2.0], [3, 1.0]],
        "held-out text": [[1, 2.5], [2, 1.5], [3, 1.75]],
        "BLEU, held-out text": [[1, 10.0], [2, 20.0], [3, 15.0]],
    }
    axes, right = figure.axes
    (best,) = axes.texts
    assert best.get_text() == "best: 1.50" and best.xy == (2, 1.5)
    assert (
        axes.get_ylabel() == "loss, nats a target token"
        and axes.get_xlabel() == "epoch"
    )
    assert axes.get_title() == "demo" and right.get_ylabel() == "BLEU"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(
        curves(figure)
    )


def test_learning_curve_of_what_fit_gives():
    history = keras.callbacks.History()
    history.history = {"nats": [3.0, 2.0], "val_nats": [2.5, 2.25], "loss": [1.0, 1.0]}
    assert curves(learning_curve(history)) == {
        "training": [[1, 3.0], [2, 2.0]],
        "held-out text": [[1, 2.5], [2, 2.25]],
    }


def test_learning_curve_without_held_out_text(run):
    figure = learning_curve(run({"nats": 3.0}))
    assert curves(figure) == {"training": [[1, 3.0]]} and len(figure.axes) == 1


def test_no_curve_without_a_log(run, tmp_path):
    with pytest.raises(
        ValueError,
        match="run must hold a log.jsonl that `train` wrote; received .*nothing",
    ):
        learning_curve(tmp_path / "nothing")
    with pytest.raises(
        ValueError, match="run must hold the log of an epoch at least; received .*"
    ):
        learning_curve(run())
    for damaged in ("{", '{"nats": 1.0}', "3", '"epoch"'):
        (tmp_path / "log.jsonl").write_text(damaged)
        with pytest.raises(
            ValueError, match="run must hold a log.jsonl that `train` wrote; received"
        ):
            learning_curve(tmp_path)


def test_schedule():
    rates = {
        f"d_model={d}": WarmupSchedule(d, warmup_updates=777) for d in (128, 512, 1024)
    }
    figure = schedule(rates, updates=3000, title="warm-up")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(rates)
    for line, d in zip(axes.get_lines(), (128, 512, 1024), strict=True):
        updates, values = line.get_data()
        np.testing.assert_allclose(
            values, d**-0.5 * np.minimum(updates**-0.5, updates * 777**-1.5), rtol=1e-5
        )
        assert updates[values.argmax()] == 777 and (updates[0], updates[-1]) == (
            1,
            3000,
        )
    assert axes.get_xlabel() == "update" and axes.get_ylabel() == "learning rate"


def test_bad_arguments_are_refused():
    with pytest.raises(
        ValueError,
        match=r"schedules must be one or more, updates 2 or more; received \{\}, 20000",
    ):
        schedule({})
