"""What happens beside `fit`: when to stop, and what is written down."""

import json
import math
import time
from pathlib import Path

import keras
import numpy as np


def batches_per_update(optimizer):
    """The optimizer's `gradient_accumulation_steps`, 1 if it has none."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # mixed_float16 wraps it in one that scales the loss
    return optimizer.gradient_accumulation_steps or 1


class NonFiniteLoss(ArithmeticError):
    """The loss became infinite or not a number."""


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Raise `NonFiniteLoss` at the update whose loss is not finite; what was saved before stays as it is.

    Put it before callbacks that save the model.
    """

    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        self.check("loss", logs)

    def on_epoch_end(self, epoch, logs=None):
        self.check("val_loss", logs)
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            self.stop("a weight is not finite")  # the last update of an epoch shows in no training loss

    def check(self, name, logs):
        value = float((logs or {}).get(name, 0.0))
        if not math.isfinite(value):
            self.stop(f"{name} is {value}")

    def stop(self, what):
        update = -(-self.batches // batches_per_update(self.model.optimizer))
        raise NonFiniteLoss(
            f"{what} at update {update}; the model saved last, if any, is kept. "
            "A lower learning_rate_scale, more warmup_updates or clip_norm=1 may help"
        )


class Limits(keras.callbacks.Callback):
    """Stop in the middle of an epoch: after a number of updates, or of minutes.

    Args:
        max_updates: updates, or None.
        max_minutes: minutes since training began, or None.
    """

    def __init__(self, max_updates=None, max_minutes=None):
        super().__init__()
        self.max_updates = math.inf if max_updates is None else max_updates
        self.max_minutes = math.inf if max_minutes is None else max_minutes
        self.batches = 0

    def on_train_begin(self, logs=None):
        self.begin = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        updates = self.batches / batches_per_update(self.model.optimizer)
        if updates >= self.max_updates or time.monotonic() - self.begin >= 60 * self.max_minutes:
            self.model.stop_training = True


class RunLog(keras.callbacks.Callback):
    """Append one line of JSON to the run's `log.jsonl` after every epoch: the epoch, seconds since the start, all logs.

    Args:
        run: the run directory.
    """

    def __init__(self, run):
        super().__init__()
        self.path = Path(run) / "log.jsonl"

    def on_train_begin(self, logs=None):
        self.begin = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in (logs or {}).items()}
        line = {"epoch": epoch + 1, "seconds": round(time.monotonic() - self.begin, 2), **values}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
