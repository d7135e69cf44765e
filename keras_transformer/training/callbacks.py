"""What happens beside `fit`: what is written down, which model is kept."""

import json
import math

from keras_transformer.runs.sealed_files import new_file
from keras_transformer.training.checkpoints import all_finite
from keras_transformer.training.progress import SessionCallback


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
        value = logs.get(name, 0.0)
        if not math.isfinite(value):
            self.stop(f"{name} is {value}")

    def stop(self, what):
        steps = self.session.training.gradient_accumulation
        update = math.ceil(self.session.progress.batches / steps)
        optimizer = self.model.optimizer
        # Mixed_float16 wraps it in one that scales.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        rate = float(optimizer.learning_rate)
        norm = float(optimizer.gradient_norm)
        raise NonFiniteLoss(
            f"{what} at update {update} (learning rate {rate:.3g}, gradient norm "
            f"{norm:.3g}); the model saved last, if any, is kept. A lower "
            "learning_rate_scale, more warmup_updates or clip_norm=1 may help"
        )


class RunLog(SessionCallback):
    """Add a line of JSON to the run's `log.jsonl` after every epoch.

    It holds the epoch's number, the seconds of training and all logs.
    """

    def rewind(self):
        """Leave only the lines of finished epochs: the others will be written again."""
        finished = self.session.progress.epoch
        self.write(row for row in self.session.run.log if row["epoch"] <= finished)

    def on_epoch_end(self, epoch, logs=None):
        seconds = round(self.session.progress.seconds, 2)
        row = {"epoch": epoch + 1, "seconds": seconds}
        row |= {name: float(value) for name, value in logs.items()}
        self.write([*self.session.run.log, row])

    def write(self, rows):
        if self.session.writes:
            with new_file(self.session.run.path / "log.jsonl") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)


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
        is_better = self.session.is_better(score)
        if is_better:
            self.save()
            self.session.progress.best = score
        return is_better

    def save(self):
        with self.session.distribution.local(self.model) as model:
            if self.session.writes:
                self.session.run.save_model(model)
