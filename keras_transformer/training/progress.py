"""How far a training run has come: what its callbacks remember, and what a checkpoint brings back."""

import dataclasses
import time

import keras
import numpy as np

from keras_transformer.distribution.distribution import ONE_DEVICE

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
        scores: what the monitor said after each epoch, by its number from 0.
        best: score of the model that is saved in the run; None before the first.
    """

    epoch: int = 0
    batch: int = 0
    batches: int = 0
    seconds: float = 0.0
    scores: dict[int, float] = dataclasses.field(default_factory=dict)
    best: float | None = None

    @classmethod
    def from_json(cls, values):
        """The inverse of `dataclasses.asdict` and a way through JSON, whose names are strings."""
        return cls(
            **{
                **values,
                "scores": {
                    int(epoch): score for epoch, score in values["scores"].items()
                },
            }
        )

    def ranked(self, higher_is_better=False):
        """The epochs, best first, the earlier one of two equals."""
        return sorted(self.scores, key=self.scores.get, reverse=higher_is_better)

    def stale(self, higher_is_better=False):
        """Epochs since the best one."""
        return max(self.scores) - self.ranked(higher_is_better)[0] if self.scores else 0


class Monitor(keras.callbacks.Callback):
    """Keep a `Progress` up to date while a model is fitted, and hold the batches to it. The first of all callbacks.

    Args:
        progress: where to begin.
        batches: the `TokenBatches` that are fitted.
        received: list of the signals that this process was sent.
        signals: list to which one of them is added when all processes know of it.
        distribution: the `Distribution`, whose processes must take every decision
            alike.
    """

    def __init__(
        self, progress, batches, received=(), signals=None, distribution=ONE_DEVICE
    ):
        super().__init__()
        self.progress, self.batches, self.received = progress, batches, received
        self.signals, self.distribution = (
            [] if signals is None else signals,
            distribution,
        )

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
        if self.distribution.processes == 1 or self.progress.batches % AGREE_EVERY == 0:
            self.agree()

    def on_epoch_end(self, epoch, logs=None):
        self.agree()

    def agree(self):
        """Count the seconds, those of process 0 in all, and pass on a signal that any process got."""
        now = time.monotonic()
        said = self.distribution.all_gather(
            np.array([now - self.last, self.received[0] if self.received else 0])
        )
        self.progress.seconds += float(said[0, 0])
        self.signals[:] = [int(number) for number in said[:, 1] if number][:1]
        self.last = now
