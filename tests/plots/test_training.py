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
    names = ("nats", "val_nats", "val_bleu")
    figure = learning_curve(run(*(dict(zip(names, row)) for row in values)))
    assert curves(figure) == {
        "training": [[1, 3.0], [2, 2.0], [3, 1.0]],
        "held-out text": [[1, 2.5], [2, 1.5], [3, 1.75]],
        "BLEU, held-out text": [[1, 10.0], [2, 20.0], [3, 15.0]],
    }
    axes, right = figure.axes
    (best,) = axes.texts
    assert best.get_text() == "best: 1.50" and best.get_position() == (2, 1.5)
    assert axes.get_ylabel() == "loss, nats a target token"
    assert axes.get_xlabel() == "epoch" and right.get_ylabel() == "BLEU"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(curves(figure))


def test_learning_curve_of_what_fit_gives():
    history = keras.callbacks.History()
    history.history = {"nats": [3.0, 2.0], "val_nats": [2.5, 2.25], "loss": [1.0, 1.0]}
    assert curves(learning_curve(history)) == {
        "training": [[1, 3.0], [2, 2.0]],
        "held-out text": [[1, 2.5], [2, 2.25]],
    }


def test_learning_curve_of_a_fit_that_went_on():
    history = keras.callbacks.History()
    history.history = {"nats": [3.0, 2.0]}
    history.epoch = [5, 6]
    assert curves(learning_curve(history)) == {"training": [[6, 3.0], [7, 2.0]]}
    history.history["val_nats"] = [2.5]
    message = "run must hold val_nats of each epoch, 2 in all; received 1"
    with pytest.raises(ValueError, match=message):
        learning_curve(history)


def test_learning_curve_without_held_out_text(run):
    figure = learning_curve(run({"nats": 3.0}))
    assert curves(figure) == {"training": [[1, 3.0]]} and len(figure.axes) == 1


def test_no_curve_without_a_log(run, tmp_path):
    message = "run must hold the log of an epoch at least; received .*"
    for path in (tmp_path / "nothing", run()):
        with pytest.raises(ValueError, match=message):
            learning_curve(path)


def test_schedule():
    rates = {
        f"d_model={d}": WarmupSchedule(d, warmup_updates=777) for d in (128, 512, 1024)
    }
    figure = schedule(rates, updates=3000)
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
    with pytest.raises(ValueError, match="schedules must be one or more; received {}"):
        schedule({})
    with pytest.raises(ValueError, match="updates must be 2 or more; received 1"):
        schedule({"a": WarmupSchedule(128)}, updates=1)
