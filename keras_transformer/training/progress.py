"""The progress of a training, and the state that its callbacks share."""

import contextlib
import dataclasses
import math
import os
import signal
import sys
import threading
import time

import keras
import numpy as np
from keras import ops

from ..config import TrainingConfig
from ..data.batches import TokenBatches
from ..distribution.distribution import ONE_DEVICE, Distribution
from ..runs.run import Run

# Batches after which the processes of a run tell each other the time and the signals
# they got.
AGREE_EVERY = 8


@dataclasses.dataclass
class Progress:
    """Position and scores of a run; with the seed, all that says which batch is next.

    Attributes:
        epoch: the epoch under way, from 0; the number of finished ones.
        batch: batches of it that are done.
        batches: batches done in all epochs.
        seconds: of training, in all processes.
        scores: what the monitor said after each epoch.
        best: score of the model that is saved in the run; None before the first.
        rows: what `log.jsonl` says of each epoch.
    """

    epoch: int = 0
    batch: int = 0
    batches: int = 0
    seconds: float = 0.0
    scores: list[float] = dataclasses.field(default_factory=list)
    best: float | None = None
    rows: list[dict] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(eq=False)
class Session(keras.callbacks.Callback):
    """State that the callbacks and steps of `train` share; itself the first callback.

    It keeps the progress up to date, stops where a limit is reached, and raises
    `NonFiniteLoss` at the update whose loss is not finite.

    Attributes:
        run: the `Run`.
        training: its `TrainingConfig`, with the limits of this call.
        distribution: the `Distribution`, whose processes must take every decision
            alike; process 0 writes.
        batches: the `TokenBatches` that are fitted.
        held_out: those of the validation pairs, None without.
        progress: the `Progress`.
        received: the signals that this process was sent.
        signal: one of them when all processes know of it, else 0.
        earlier: the seconds of training before this call.
    """

    run: Run
    training: TrainingConfig
    distribution: Distribution = ONE_DEVICE
    batches: TokenBatches | None = None
    held_out: TokenBatches | None = None
    progress: Progress = dataclasses.field(default_factory=Progress)
    received: list[int] = dataclasses.field(default_factory=list)
    signal: int = 0
    earlier: float = 0.0

    def __post_init__(self):
        super().__init__()

    @property
    def folder(self):
        """The directory of the checkpoints."""
        return self.run.path / "checkpoints"

    @property
    def writes(self):
        """Whether this process writes."""
        return self.distribution.process == 0

    @property
    def monitor(self):
        """The name, in an epoch's logs, of its score."""
        if self.training.monitor == "bleu":
            return "val_bleu"
        return "nats" if self.held_out is None else "val_nats"

    def cost(self, score):
        """A number that is the lower the better a score is."""
        return -score if self.training.monitor == "bleu" else score

    def is_better(self, score):
        """Whether a score beats that of the model that is saved."""
        best = self.progress.best
        is_best = best is None or self.cost(score) < self.cost(best)
        return is_best and math.isfinite(score)

    def ranked_epochs(self):
        """The epochs, best first, the earlier one of two equals."""
        costs = [self.cost(score) for score in self.progress.scores]
        return sorted(range(len(costs)), key=costs.__getitem__)

    def patience_is_over(self):
        """Whether there were too many epochs since the best one."""
        patience = self.training.patience
        scores = self.progress.scores
        if patience is None or not scores:
            return False
        return len(scores) - 1 - self.ranked_epochs()[0] >= patience

    def limit_is_reached(self):
        """Whether there were as many updates or minutes as there may be."""
        return self.updates_are_done() or self.minutes_are_over()

    def updates_are_done(self):
        """Whether there were as many updates as `max_updates` allows."""
        most = self.training.max_updates
        return most is not None and self.updates >= most

    def minutes_are_over(self):
        """Whether this call has trained for `max_minutes`."""
        most = self.training.max_minutes
        seconds = self.progress.seconds - self.earlier
        return most is not None and seconds >= 60 * most

    @property
    def updates(self):
        """Updates so far; of the one under way, the share of its batches."""
        steps = self.training.gradient_accumulation
        of_epoch = len(self.batches)
        updates = self.progress.batch / steps
        if self.progress.batch == of_epoch:  # the last one may have fewer
            updates = math.ceil(updates)
        return self.progress.epoch * math.ceil(of_epoch / steps) + updates

    @property
    def planned(self):
        """Batches of all epochs, or of as many updates as there may be."""
        planned = self.training.epochs * len(self.batches)
        most = self.training.max_updates
        if most is None:
            return planned
        return min(planned, most * self.training.gradient_accumulation)

    def reached_limit(self):
        """The field of `TrainingConfig` that leaves nothing to train, or None."""
        limits = {
            "epochs": self.progress.epoch >= self.training.epochs,
            "max_updates": self.updates_are_done(),
            "max_minutes": self.minutes_are_over(),
            "patience": self.patience_is_over(),
        }
        return next((name for name, is_reached in limits.items() if is_reached), None)

    def is_done(self):
        """Whether nothing is left to train."""
        return self.reached_limit() is not None

    def on_train_begin(self, logs=None):
        self.last = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch
        # Only now: before, Keras looks at the first two batches of the whole epoch,
        # whose shapes stand for all others'.
        self.batches.first = self.progress.batch

    def on_train_batch_end(self, batch, logs=None):
        self.progress.batch += 1
        self.progress.batches += 1
        is_alone = self.distribution.processes == 1
        if is_alone or self.progress.batches % AGREE_EVERY == 0:
            self.agree()
        if self.limit_is_reached():
            self.model.stop_training = True
        self.check_finite("loss", logs)

    def on_epoch_end(self, epoch, logs=None):
        self.run.check_place()
        self.agree()
        if self.limit_is_reached():  # by the minutes of the validation
            self.model.stop_training = True
        self.check_finite("val_loss", logs)
        if not all_finite(self.model):
            # The last update of an epoch shows in no training loss.
            self.fail("a weight is not finite")

    def check_finite(self, name, logs):
        """Raise a `NonFiniteLoss` if a number of the logs is not finite."""
        value = logs.get(name, 0.0)
        if not math.isfinite(value):
            self.fail(f"{name} is {value}")

    def fail(self, what):
        """Raise a `NonFiniteLoss` that says where, and what may help."""
        update = math.ceil(self.updates)
        optimizer = inner_optimizer(self.model)
        rate = float(optimizer.learning_rate)
        norm = float(optimizer.gradient_norm)
        raise NonFiniteLoss(
            f"{what} at update {update} (learning rate {rate:.3g}, gradient norm "
            f"{norm:.3g}); the model saved last is kept. Lower learning_rate_scale, or "
            "set more warmup_updates or clip_norm=1"
        )

    def agree(self):
        """Count the seconds of process 0 in all, and pass on a signal of any."""
        now = time.monotonic()
        received = self.received[0] if self.received else 0
        of_all = self.distribution.all_gather(np.array([now - self.last, received]))
        self.progress.seconds += float(of_all[0, 0])
        self.signal = next((int(number) for number in of_all[:, 1] if number), 0)
        self.last = now


def inner_optimizer(model):
    """The optimizer that updates the weights; mixed_float16 has another around it."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


class NonFiniteLoss(ArithmeticError):
    """The loss became infinite or not a number."""


def all_finite(model):
    """Whether every weight is a finite number."""
    # Where they are, on whatever devices.
    return all(bool(ops.all(ops.isfinite(weight))) for weight in model.weights)


class SessionCallback(keras.callbacks.Callback):
    """A callback that shares a `Session` with others."""

    def __init__(self, session):
        super().__init__()
        self.session = session
        self.run = session.run
        self.training = session.training
        self.distribution = session.distribution
        self.folder = session.folder
        self.writes = session.writes

    @property
    def progress(self):
        return self.session.progress


class Interrupted(KeyboardInterrupt):
    """A signal ended the training, after one more checkpoint."""

    def __init__(self, number, batches):
        super().__init__(
            f"interrupted after {batches} batches; --resume continues from there"
        )
        self.number = number


@contextlib.contextmanager
def signals_noted(received):
    """Append SIGINT or SIGTERM to a list; a second one ends the process at once."""

    def note(number, frame):
        if received:
            os._exit(128 + number)
        received.append(number)
        name = signal.Signals(number).name
        print(
            f"\n{name}: leaving after one more checkpoint; once more: leaving at once",
            file=sys.stderr,
        )

    numbers = (signal.SIGINT, signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread():
        numbers = ()  # only the main thread may set handlers
    replaced = {number: signal.signal(number, note) for number in numbers}
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler or signal.SIG_DFL)
