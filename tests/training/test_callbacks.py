import keras
import numpy as np
import pytest
from small import log, session

from keras_transformer.evaluation.callback import BleuCallback
from keras_transformer.training.checkpoints import (
    Checkpoints,
    EpochWeights,
    KeepBest,
    RunLog,
)
from keras_transformer.training.optimizer import paper_adam
from keras_transformer.training.progress import NonFiniteLoss
from keras_transformer.training.report import EpochLines
from keras_transformer.training.train import callbacks_of


class Batches:
    """What a session asks of its `TokenBatches`."""

    def __len__(self):
        return 6


def fit(shared, *callbacks, bad_batch=None, bad_validation=False):
    """A fit of two epochs of 6 batches; how many batches of it ran."""
    steps = shared.training.gradient_accumulation
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    options = {"gradient_accumulation_steps": steps} if steps > 1 else {}
    model.compile(paper_adam(0.01, **options), "mse")
    x = np.ones((6, 1), "float32")
    if bad_batch is not None:
        x[bad_batch] = np.inf
    ran = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ran.append(batch)
    )
    shared.batches = Batches()
    model.fit(
        x,
        np.ones((6, 1)),
        batch_size=1,
        epochs=2,
        shuffle=False,
        verbose=0,
        validation_data=(np.full((2, 1), np.nan), np.ones((2, 1)))
        if bad_validation
        else None,
        callbacks=[count, shared, *callbacks],
    )
    return len(ran)


def test_the_order_is_fixed(tmp_path):
    """Each after those whose work it needs, the checkpoint last."""
    shared = session(tmp_path)
    bleu = BleuCallback([], [], None)
    kinds = [RunLog, KeepBest, EpochLines, EpochWeights, Checkpoints]
    first, *others = callbacks_of(shared, None)
    assert first is shared and [type(other) for other in others] == kinds
    first, second, *others = callbacks_of(shared, bleu)
    assert first is shared and second is bleu
    assert [type(other) for other in others] == kinds


@pytest.mark.parametrize("accumulation, update", [(1, 4), (2, 2)])
def test_non_finite_loss_names_the_update(tmp_path, accumulation, update):
    shared = session(tmp_path, gradient_accumulation=accumulation)
    with pytest.raises(
        NonFiniteLoss,
        match=f"loss is (inf|nan) at update {update} \\(learning rate 0.01.*\\); the "
        "model saved last",
    ):
        fit(shared, bad_batch=3)


def test_non_finite_validation(tmp_path):
    shared = session(tmp_path)
    with pytest.raises(
        NonFiniteLoss,
        match=r"val_loss is nan at update 6 \(learning rate 0.01.*\); the model saved "
        "last",
    ):
        fit(shared, bad_validation=True)
    shared = session(tmp_path)
    assert fit(shared) == 12


def test_a_run_that_was_replaced_meanwhile(tmp_path):
    class Replace(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            (tmp_path / "manifest.json").write_text('{"config.json": {}}')

    with pytest.raises(ValueError, match="run '.*' is another one by now"):
        fit(session(tmp_path), Replace())


def test_weights_that_the_last_update_broke(tmp_path):
    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 5:
                self.model.set_weights(
                    [
                        np.full_like(weight, np.nan)
                        for weight in self.model.get_weights()
                    ]
                )

    shared = session(tmp_path)
    with pytest.raises(
        NonFiniteLoss,
        match=r"a weight is not finite at update 6 \(learning rate 0.01.*\); the model "
        "saved last",
    ):
        fit(shared, Break())


@pytest.mark.parametrize(
    "options, batches",
    [
        (dict(), 12),
        (dict(max_updates=4), 4),
        (dict(max_updates=2, gradient_accumulation=2), 4),
        (dict(max_updates=1, gradient_accumulation=5), 5),
        (dict(max_updates=2, gradient_accumulation=5), 6),
        (dict(max_updates=1, gradient_accumulation=9), 6),
        (dict(max_updates=8), 8),
        (dict(max_minutes=1e-9), 1),
        (dict(max_updates=100, max_minutes=100.0), 12),
    ],
)
def test_limits(tmp_path, options, batches):
    shared = session(tmp_path, **options)
    assert fit(shared) == shared.progress.batches == batches
    assert shared.limit_is_reached() == (batches < 12)


def test_the_minutes_may_end_while_an_epoch_is_validated(tmp_path):
    shared = session(tmp_path, max_minutes=60.0)

    def validate(batch, logs):
        if batch == 5:
            shared.last -= 3600

    validated = keras.callbacks.LambdaCallback(on_train_batch_end=validate)
    assert fit(shared, validated) == 6


def test_one_line_an_epoch(tmp_path):
    shared = session(tmp_path)
    written = RunLog(shared)
    fit(shared, written)
    lines = log(tmp_path)
    path = tmp_path / "log.jsonl"
    assert [line["epoch"] for line in lines] == [1, 2]
    assert 0 <= lines[0]["seconds"] <= lines[1]["seconds"]
    assert lines[1]["loss"] < lines[0]["loss"]
    whole = path.read_bytes()
    shared.progress.epoch = 2
    damaged = whole.replace(b"1", b"2", 1) + b'[]\n{"epoch": "3"}\n{"epoch": 1, "lo'
    path.write_bytes(damaged)
    with pytest.warns(UserWarning) as noted:
        written.rewind()
    of_reading, of_writing = [str(warning.message) for warning in noted]
    assert (
        of_reading
        == f"'{path}' is damaged: of 5 lines, those of epochs [2, 2] can be read"
    )
    expected = (
        "log.jsonl is damaged: its 2 epochs are written again, as in the checkpoint"
    )
    assert of_writing == expected
    assert path.read_bytes() == whole
    shared.progress.epoch = 1
    del shared.progress.rows[1:]
    written.rewind()
    assert log(tmp_path) == lines[:1]


def model_of(value):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    model.set_weights([np.array([[value]], "float32")])
    return model


def saved(run):
    return float(keras.models.load_model(run / "model.keras").get_weights()[0].item())


@pytest.mark.parametrize(
    "monitor, values, expected",
    [("loss", [3.0, 1.0, 2.0, 1.0], 1), ("bleu", [3.0, 1.0, 4.0, 4.0], 2)],
)
def test_the_best_epoch_is_kept(tmp_path, monitor, values, expected):
    shared = session(tmp_path, monitor=monitor)
    assert shared.monitor == ("val_bleu" if monitor == "bleu" else "nats")
    keep = KeepBest(shared)
    before = {*tmp_path.iterdir()}
    for epoch, value in enumerate(values):
        keep.set_model(model_of(epoch))
        keep.on_epoch_end(epoch, {shared.monitor: value})
    assert saved(tmp_path) == expected
    assert shared.progress.best == values[expected]
    assert shared.progress.scores == values
    for score in (shared.progress.best, float("nan")):
        assert not keep.save_if_better(score)
    assert {*tmp_path.iterdir()} - before == {tmp_path / "model.keras"}


@pytest.mark.parametrize(
    "patience, stops", [(None, [0, 0, 0, 0]), (2, [0, 0, 0, 1]), (1, [0, 0, 1, 1])]
)
def test_patience(tmp_path, patience, stops):
    shared = session(tmp_path, patience=patience)
    shared.held_out = "anything"
    assert shared.monitor == "val_nats"
    keep = KeepBest(shared)
    found = []
    for epoch, value in enumerate([3.0, 1.0, 2.0, 1.0]):
        keep.set_model(model_of(epoch))
        keep.model.stop_training = False
        keep.on_epoch_end(epoch, {"val_nats": value})
        found.append(keep.model.stop_training)
    assert found == stops
