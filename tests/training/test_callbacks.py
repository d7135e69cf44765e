import json
import types

import keras
import numpy as np
import pytest

from keras_transformer.training.callbacks import (
    Limits,
    NonFiniteLoss,
    RunLog,
    StopOnNonFiniteLoss,
)
from keras_transformer.training.optimizer import paper_adam
from keras_transformer.training.progress import Monitor, Progress


def fit(callback, accumulation=None, epochs=2, bad_batch=None, bad_validation=False):
    """A fit of 6 batches an epoch; how many batches of it ran."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(
        keras.optimizers.SGD(0.01, gradient_accumulation_steps=accumulation), "mse"
    )
    x = np.ones((6, 1), "float32")
    if bad_batch is not None:
        x[bad_batch] = np.inf
    ran = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ran.append(batch)
    )
    validation = (np.full((2, 1), np.nan), np.ones((2, 1))) if bad_validation else None
    options = dict(
        batch_size=1,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        validation_data=validation,
    )
    callbacks = [count, callback]
    if hasattr(callback, "progress"):
        callbacks.insert(0, Monitor(callback.progress, types.SimpleNamespace()))
    model.fit(x, np.ones((6, 1)), callbacks=callbacks, **options)
    return len(ran)


@pytest.mark.parametrize("accumulation, update", [(None, 4), (2, 2)])
def test_non_finite_loss_names_the_update(accumulation, update):
    with pytest.raises(
        NonFiniteLoss,
        match=f"loss is (inf|nan) at update {update} \\(learning rate 0.01\\); the model saved last",
    ):
        fit(
            StopOnNonFiniteLoss(Progress(), accumulation or 1),
            accumulation,
            bad_batch=3,
        )


def test_non_finite_validation():
    with pytest.raises(
        NonFiniteLoss,
        match=r"val_loss is nan at update 6 \(learning rate 0.01\); the model saved last",
    ):
        fit(StopOnNonFiniteLoss(Progress()), bad_validation=True)
    assert fit(StopOnNonFiniteLoss(Progress())) == 12


def test_weights_that_the_last_update_broke():
    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 5:
                self.model.set_weights(
                    [
                        np.full_like(weight, np.nan)
                        for weight in self.model.get_weights()
                    ]
                )

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ones, progress = np.ones((6, 1)), Progress()
    callbacks = [
        Monitor(progress, types.SimpleNamespace()),
        Break(),
        StopOnNonFiniteLoss(progress),
    ]
    with pytest.raises(
        NonFiniteLoss,
        match=r"a weight is not finite at update 6 \(learning rate 0.01\); the model saved last",
    ):
        model.fit(
            ones, ones, batch_size=1, shuffle=False, verbose=0, callbacks=callbacks
        )


def test_the_gradient_norm_is_in_the_message():
    model = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros"),
        ]
    )
    model.compile(paper_adam(0.25), "mse")
    ones = np.ones((2, 1), "float32")
    model.fit(ones, ones, batch_size=2, verbose=0)  # the gradient of (w - 1)^2 at 0
    assert float(model.optimizer.gradient_norm) == pytest.approx(2.0)
    message = r"loss is (inf|nan) at update 0 \(learning rate 0.25, gradient norm (inf|nan)\); the"
    with pytest.raises(NonFiniteLoss, match=message):
        model.fit(
            np.full_like(ones, np.inf),
            ones,
            batch_size=2,
            verbose=0,
            callbacks=[StopOnNonFiniteLoss(Progress())],
        )


@pytest.mark.parametrize(
    "options, batches",
    [
        (dict(), 12),
        (dict(max_updates=4), 4),
        (dict(max_updates=2, batches_per_update=2), 4),
        (dict(max_updates=8), 8),
        (dict(max_minutes=0.0), 1),
        (dict(max_updates=100, max_minutes=100.0), 12),
    ],
)
def test_limits(options, batches):
    limits = Limits(Progress(), **options)
    assert fit(limits) == limits.progress.batches == batches
    assert limits.reached() == (batches < 12)


def test_one_line_an_epoch(tmp_path):
    log = RunLog(tmp_path, Progress())
    fit(log)
    lines = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert 0 <= lines[0]["seconds"] <= lines[1]["seconds"]
    assert lines[1]["loss"] < lines[0]["loss"]
    with open(log.path, "a") as file:
        file.write('{"epoch": 1, "lo')  # killed
    log.progress.epoch = 1
    log.rewind()
    assert [json.loads(line) for line in log.path.read_text().splitlines()] == lines[:1]
