"""What happens beside `fit`: when to stop, and what is written down."""

import json
import math
import os
from pathlib import Path

import keras
from keras import ops

from keras_transformer.runs.sealed_files import written_aside


def all_finite(model):
    """Whether every weight is a finite number."""
    # Where they are, on whatever devices.
    return all(bool(ops.all(ops.isfinite(weight))) for weight in model.weights)


class NonFiniteLoss(ArithmeticError):
    """The loss became infinite or not a number."""


class StopOnNonFiniteLoss(keras.callbacks.Callback):
    """Raise `NonFiniteLoss` at the update whose loss is not finite; what was saved before stays as it is.

    Put it after `Monitor` and before callbacks that save the model.

    Args:
        progress: the run's `Progress`.
        batches_per_update: batches that are summed into one update.
    """

    def __init__(self, progress, batches_per_update=1):
        super().__init__()
        self.progress, self.batches_per_update = progress, batches_per_update

    def on_train_batch_end(self, batch, logs=None):
        self.check("loss", logs)

    def on_epoch_end(self, epoch, logs=None):
        self.check("val_loss", logs)
        if not all_finite(self.model):
            # The last update of an epoch shows in no training loss.
            self.stop("a weight is not finite")

    def check(self, name, logs):
        value = float((logs or {}).get(name, 0.0))
        if not math.isfinite(value):
            self.stop(f"{name} is {value}")

    def stop(self, what):
        update = -(-self.progress.batches // self.batches_per_update)
        optimizer = self.model.optimizer
        # Mixed_float16 wraps it in one that scales.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        norm = getattr(optimizer, "gradient_norm", None)  # ours measures it
        measured = "" if norm is None else f", gradient norm {float(norm):.3g}"
        raise NonFiniteLoss(
            f"{what} at update {update} (learning rate {float(optimizer.learning_rate):.3g}{measured}); "
            "the model saved last, if any, is kept. A lower learning_rate_scale, more warmup_updates or clip_norm=1 "
            "may help"
        )


class Limits(keras.callbacks.Callback):
    """Stop in the middle of an epoch: after a number of updates, or of minutes.

    Put it after `Monitor`.

    Args:
        progress: the run's `Progress`.
        max_updates: updates, or None.
        max_minutes: minutes of training, or None.
        batches_per_update: batches that are summed into one update.
    """

    def __init__(
        self, progress, max_updates=None, max_minutes=None, batches_per_update=1
    ):
        super().__init__()
        self.progress = progress
        self.max_batches = (
            math.inf if max_updates is None else max_updates * batches_per_update
        )
        self.max_seconds = math.inf if max_minutes is None else 60 * max_minutes

    def reached(self):
        """Whether training is to stop."""
        return (
            self.progress.batches >= self.max_batches
            or self.progress.seconds >= self.max_seconds
        )

    def on_train_batch_end(self, batch, logs=None):
        if self.reached():
            self.model.stop_training = True


class RunLog(keras.callbacks.Callback):
    """Append one line of JSON to the run's `log.jsonl` after every epoch: its number, seconds of training, all logs.

    Put it after `Monitor`.

    Args:
        run: the run directory.
        progress: the run's `Progress`.
    """

    def __init__(self, run, progress):
        super().__init__()
        self.path, self.progress = Path(run) / "log.jsonl", progress

    def rewind(self):
        """Leave only what was written about the finished epochs: the others will be written again."""
        lines = (
            self.path.read_text(encoding="utf-8", errors="replace").splitlines()
            if self.path.exists()
            else []
        )
        with written_aside(self.path) as aside:
            aside.write_text(
                "".join(line + "\n" for line in lines if self.is_finished(line)),
                encoding="utf-8",
            )

    def is_finished(self, line):
        try:
            return json.loads(line)["epoch"] <= self.progress.epoch
        except (
            ValueError,
            TypeError,
            KeyError,
        ):  # cut short when the process was killed
            return False

    def on_epoch_end(self, epoch, logs=None):
        values = {name: float(value) for name, value in (logs or {}).items()}
        line = {
            "epoch": epoch + 1,
            "seconds": round(self.progress.seconds, 2),
            **values,
        }
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
