"""What happens beside `fit`: what is written down, which model is kept."""

import json
import math
import os

import keras

from keras_transformer.evaluation.callback import BleuCallback
from keras_transformer.runs.run import read_log
from keras_transformer.runs.sealed_files import written_aside
from keras_transformer.training.checkpoints import (
    Checkpoints,
    EpochWeights,
    all_finite,
)
from keras_transformer.training.progress import Monitor, SessionCallback


class NonFiniteLoss(ArithmeticError):
    """The loss became infinite or not a number."""


class StopOnNonFiniteLoss(SessionCallback):
    """Raise `NonFiniteLoss` at the update whose loss is not finite.

    What was saved before stays as it is.
    """

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
        steps = self.session.training.gradient_accumulation
        update = math.ceil(self.session.progress.batches / steps)
        optimizer = self.model.optimizer
        # Mixed_float16 wraps it in one that scales.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        measured = f"learning rate {float(optimizer.learning_rate):.3g}"
        norm = getattr(optimizer, "gradient_norm", None)  # ours measures it
        if norm is not None:
            measured += f", gradient norm {float(norm):.3g}"
        raise NonFiniteLoss(
            f"{what} at update {update} ({measured}); the model saved last, if any, is "
            "kept. A lower learning_rate_scale, more warmup_updates or clip_norm=1 may "
            "help"
        )


class RunLog(SessionCallback):
    """Append a line of JSON to the run's `log.jsonl` after every epoch.

    It holds the epoch's number, the seconds of training and all logs.
    """

    def __init__(self, session):
        super().__init__(session)
        self.path = session.run.path / "log.jsonl"

    def rewind(self):
        """Leave only the lines of finished epochs: the others will be written again."""
        finished = self.session.progress.epoch
        with written_aside(self.path) as aside:
            with open(aside, "w", encoding="utf-8") as file:
                for row in read_log(self.path):
                    if row["epoch"] <= finished:
                        file.write(json.dumps(row) + "\n")

    def on_epoch_end(self, epoch, logs=None):
        row = {
            "epoch": epoch + 1,
            "seconds": round(self.session.progress.seconds, 2),
        }
        row |= {name: float(value) for name, value in (logs or {}).items()}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())


class KeepBest(SessionCallback):
    """Save the model into the run whenever its score is the best so far.

    Training stops when the session's patience is over.
    """

    def on_epoch_end(self, epoch, logs=None):
        score = float(logs[self.session.monitor])
        self.session.progress.scores[epoch:] = [score]
        self.save_if_better(score)
        if self.session.patience_is_over():
            self.model.stop_training = True

    def save_if_better(self, score):
        """Save the model as it is now if its score is the best; say whether it was."""
        best = self.session.progress.best
        if not math.isfinite(score):
            return False
        if best is not None and not self.session.is_better(score, best):
            return False
        self.save()
        self.session.progress.best = score
        return True

    def save(self):
        """Save the model as it is now."""
        distribution = self.session.distribution
        with distribution.local(self.model) as model:
            if self.session.writes:
                self.session.run.save_model(model)


# Keras tells each of the end of a batch or of an epoch after those before it.
ORDER = (
    Monitor,  # counts for all others
    StopOnNonFiniteLoss,  # before anything of a broken model is written
    BleuCallback,  # adds to the logs that the next ones read
    keras.callbacks.TensorBoard,
    RunLog,
    KeepBest,  # notes the score of the epoch
    EpochWeights,  # keeps the epochs of the best scores
    Checkpoints,  # writes down what all others have noted
)


def ordered(callbacks):
    """The callbacks in the order of `ORDER`, whatever order they are given in.

    Raises:
        ValueError: if `ORDER` has no place for one.
    """
    for callback in callbacks:
        if type(callback) not in ORDER:
            raise ValueError(
                f"callbacks must be of the classes in ORDER; received {callback!r}"
            )

    def place(callback):
        return ORDER.index(type(callback))

    return sorted(callbacks, key=place)
