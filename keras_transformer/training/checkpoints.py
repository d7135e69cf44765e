"""What is kept of a training run: the best model, and the weights of its last epochs."""

import math
import os
from pathlib import Path

import keras
import numpy as np

from keras_transformer.files import written_aside
from keras_transformer.run_directory import save_model


class KeepBest(keras.callbacks.Callback):
    """Save the model into the run whenever its validation is the best so far.

    Args:
        run: the run directory.
        monitor: a name in the epoch's logs.
        higher_is_better: whether a higher value is a better one.
    """

    def __init__(self, run, monitor="val_nats", higher_is_better=False):
        super().__init__()
        self.run, self.monitor, self.sign = run, monitor, 1 if higher_is_better else -1
        self.best = None

    def on_epoch_end(self, epoch, logs=None):
        self.offer(logs[self.monitor])

    def offer(self, value):
        """Save the model as it is now if `value` beats the best so far; say whether it did."""
        better = math.isfinite(value) and (self.best is None or self.sign * (value - self.best) > 0)
        if better:
            save_model(self.run, self.model)
            self.best = value
        return better


class LastWeights(keras.callbacks.Callback):
    """Keep the weights after each of the last epochs in the run's `checkpoints/`.

    Args:
        run: the run directory.
        count: how many epochs to keep.
    """

    def __init__(self, run, count):
        super().__init__()
        self.folder, self.count = Path(run) / "checkpoints", count
        self.paths = []

    def on_train_begin(self, logs=None):
        self.folder.mkdir(exist_ok=True)

    def on_epoch_end(self, epoch, logs=None):
        path = self.folder / f"epoch-{epoch + 1:04d}.npz"
        with written_aside(path) as aside, open(aside, "wb") as file:
            np.savez(file, *self.model.get_weights())
        self.paths.append(path)
        while len(self.paths) > self.count:
            os.remove(self.paths.pop(0))

    def read(self):
        """The weights of the kept epochs, one list at a time."""
        for path in self.paths:
            with np.load(path, allow_pickle=False) as arrays:
                yield [arrays[name] for name in arrays.files]
