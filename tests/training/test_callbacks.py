import json

import keras
import numpy as np
import pytest

from keras_transformer.training.callbacks import Limits, NonFiniteLoss, RunLog, StopOnNonFiniteLoss, batches_per_update


def fit(callback, accumulation=None, epochs=2, bad_batch=None, bad_validation=False):
    """A fit of 6 batches an epoch; how many batches of it ran."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01, gradient_accumulation_steps=accumulation), "mse")
    x = np.ones((6, 1), "float32")
    if bad_batch is not None:
        x[bad_batch] = np.inf
    ran = []
    count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ran.append(batch))
    validation = (np.full((2, 1), np.nan), np.ones((2, 1))) if bad_validation else None
    options = dict(batch_size=1, epochs=epochs, shuffle=False, verbose=0, validation_data=validation)
    model.fit(x, np.ones((6, 1)), callbacks=[count, callback], **options)
    return len(ran)


@pytest.mark.parametrize("accumulation, update", [(None, 4), (2, 2)])
def test_non_finite_loss_names_the_update(accumulation, update):
    with pytest.raises(NonFiniteLoss, match=f"loss is (inf|nan) at update {update}; the model saved last"):
        fit(StopOnNonFiniteLoss(), accumulation, bad_batch=3)


def test_non_finite_validation():
    with pytest.raises(NonFiniteLoss, match="val_loss is nan at update 6; the model saved last"):
        fit(StopOnNonFiniteLoss(), bad_validation=True)
    assert fit(StopOnNonFiniteLoss()) == 12


def test_weights_that_the_last_update_broke():
    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 5:
                self.model.set_weights([np.full_like(weight, np.nan) for weight in self.model.get_weights()])

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ones = np.ones((6, 1))
    with pytest.raises(NonFiniteLoss, match="a weight is not finite at update 6; the model saved last"):
        model.fit(ones, ones, batch_size=1, shuffle=False, verbose=0, callbacks=[Break(), StopOnNonFiniteLoss()])


@pytest.mark.parametrize(
    "limits, accumulation, batches",
    [
        (Limits(), None, 12),
        (Limits(max_updates=4), None, 4),
        (Limits(max_updates=2), 2, 4),
        (Limits(max_updates=8), None, 8),
        (Limits(max_minutes=0.0), None, 1),
        (Limits(max_updates=100, max_minutes=100.0), None, 12),
    ],
)
def test_limits(limits, accumulation, batches):
    assert fit(limits, accumulation) == batches


def test_a_loss_scale_does_not_hide_the_accumulation():
    inner = keras.optimizers.SGD(gradient_accumulation_steps=3)
    assert batches_per_update(keras.optimizers.LossScaleOptimizer(inner)) == batches_per_update(inner) == 3
    assert batches_per_update(keras.optimizers.SGD()) == 1


def test_one_line_an_epoch(tmp_path):
    fit(RunLog(tmp_path))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert 0 <= lines[0]["seconds"] <= lines[1]["seconds"]
    assert lines[1]["loss"] < lines[0]["loss"]
