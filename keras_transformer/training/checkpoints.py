"""What is kept of a training run: checkpoints to go on from, the best model, the weights of the last epochs."""

import contextlib
import dataclasses
import itertools
import math
import os
import signal
import sys
import threading
import warnings
from pathlib import Path

import keras
from keras import ops

from keras_transformer.distribution.distribution import ONE_DEVICE
from keras_transformer.distribution.random_state import random_state, set_random_state
from keras_transformer.runs.run import save_model
from keras_transformer.runs.sealed_files import (
    is_whole,
    load_arrays,
    save_arrays,
    sha256,
)
from keras_transformer.training.callbacks import all_finite
from keras_transformer.training.progress import Progress


class Interrupted(KeyboardInterrupt):
    """A signal ended the training, after one more checkpoint."""

    def __init__(self, number, message):
        super().__init__(message)
        self.number = number


@contextlib.contextmanager
def signals_noted():
    """Give a list to which SIGINT and SIGTERM are appended instead of ending the process; the second one ends it."""
    received = []

    def note(number, sentence_format):
        if received:
            os._exit(128 + number)
        received.append(number)
        name = signal.Signals(number).name
        print(
            f"\n{name}: leaving after one more checkpoint; once more: leaving at once",
            file=sys.stderr,
            flush=True,
        )

    numbers = (signal.SIGINT, signal.SIGTERM)
    # Only the main thread may set handlers.
    if threading.current_thread() is not threading.main_thread():
        numbers = ()
    replaced = {number: signal.signal(number, note) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in replaced.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def state(model):
    """All variables that make the next update, by group: weights with the seeds of dropout, optimizer."""
    return {"model": model.variables, "optimizer": model.optimizer.variables}


def save_checkpoint(folder, model, progress, random=(), distribution=ONE_DEVICE):
    """Write all that a run needs to go on; give the path, `batch-00001234.DIGEST.safetensors`, in process 0."""
    groups = {
        group: distribution.arrays(variables)
        for group, variables in state(model).items()
    }
    groups |= {"metrics": distribution.metrics(model), "random": random}
    if distribution.process:
        return None
    arrays = {
        f"{group}/{n:05d}": array
        for group, found in groups.items()
        for n, array in enumerate(found)
    }
    return write_checkpoint(folder, arrays, progress, keras.backend.backend())


def run_id(folder):
    """What a checkpoint belongs to: the digest of the manifest beside its folder, and so of settings, seed and data."""
    manifest = Path(folder).parent / "manifest.json"
    return sha256(manifest) if manifest.exists() else ""


def write_checkpoint(folder, arrays, progress, backend):
    metadata = {
        "progress": dataclasses.asdict(progress),
        "backend": backend,
        "run": run_id(folder),
    }
    return save_arrays(folder, f"batch-{progress.batches:08d}", arrays, metadata)


class Checkpoints(keras.callbacks.Callback):
    """Write checkpoints: after some minutes, after every epoch, and when a signal asks to leave. The last callback.

    A file `checkpoints/batch-00001234.DIGEST.safetensors` holds weights, optimizer, the
    states of dropout, the metrics so far, and the `Progress`.

    Args:
        run: the run directory.
        progress: the run's `Progress`.
        batches: the `TokenBatches` that are fitted.
        minutes: between two checkpoints within an epoch; 0 for one after every batch.
        keep: how many of the newest to keep.
        limits: the `Limits` that may end training within an epoch.
        signals: list in which a signal appears that asks to leave.
        distribution: the `Distribution`; its process 0 writes.
    """

    def __init__(
        self,
        run,
        progress,
        batches,
        minutes,
        keep,
        limits,
        signals,
        distribution=ONE_DEVICE,
    ):
        super().__init__()
        self.folder, self.progress, self.batches = (
            Path(run) / "checkpoints",
            progress,
            batches,
        )
        self.minutes, self.keep, self.limits, self.signals = (
            minutes,
            keep,
            limits,
            signals,
        )
        self.distribution, self.written, self.metrics, self.random = (
            distribution,
            0.0,
            (),
            (),
        )

    def restore(self, model):
        """Bring model and progress to the newest checkpoint that is whole; to the start if there is none.

        A warning names each one that is skipped. The metrics follow when the epoch
        begins, after Keras's own reset.
        """
        model.optimizer.build(model.trainable_variables)
        for path, arrays, progress, backend in self.whole():
            found = {}
            for group in (*state(model), "metrics", "random"):
                found[group] = [
                    array
                    for name, array in arrays.items()
                    if name.startswith(f"{group}/")
                ]
            for group, variables in state(model).items():
                check(variables, found[group], path.name)
            for group, variables in state(model).items():
                assign(variables, found[group])
            self.metrics, self.random = (
                found["metrics"] if progress.batch else (),
                found["random"],
            )
            for field in dataclasses.fields(progress):
                setattr(self.progress, field.name, getattr(progress, field.name))
            self.written = progress.seconds
            if backend != keras.backend.backend():
                print(
                    f"This run was on {backend} so far: from here on it is not bit for bit what it would be there."
                )
            return
        if self.paths():
            raise ValueError(
                f"none of the checkpoints in {str(self.folder)!r} can be used; --overwrite begins anew"
            )

    def whole(self):
        """The checkpoints that can be read, newest first: path, arrays, `Progress`, backend."""
        for path in self.paths()[::-1]:
            try:
                arrays, metadata = load_arrays(path)
                if metadata["run"] != run_id(self.folder):
                    raise ValueError(f"{path.name} is that of another run")
                progress = Progress.from_json(metadata["progress"])
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                warnings.warn(f"skipped a checkpoint: {error}", stacklevel=2)
                continue
            yield path, arrays, progress, metadata["backend"]

    def paths(self):
        """The files of all checkpoints, oldest first."""
        # Of two of one position, which a kill may leave, the newer one is the second.
        found = self.folder.glob("batch-*.safetensors")
        return sorted(
            found,
            key=lambda path: (path.name.partition(".")[0], path.stat().st_mtime_ns),
        )

    def on_epoch_begin(self, epoch, logs=None):
        if self.metrics:
            # Keras makes some only when it needs them.
            if len(self.model.metrics_variables) < len(self.metrics):
                # Of one row: metrics do not depend on how many there are.
                inputs, labels, weights = keras.tree.map_structure(
                    lambda array: array[:1], self.batches[0]
                )
                logits = ops.zeros((*labels.shape, self.model.config.target_vocab_size))
                tensors = map(ops.convert_to_tensor, (labels, logits, weights))
                self.model.compute_metrics(inputs, *tensors)
            check(
                self.model.metrics_variables, self.metrics, "the checkpoint's metrics"
            )
            self.distribution.set_metrics(self.model, self.metrics)
            self.metrics = ()

    def on_train_batch_begin(self, batch, logs=None):
        process = self.distribution.process
        # Otherwise there were fewer processes.
        if all(process < len(states) for states in self.random):
            set_random_state([states[process] for states in self.random])
        self.random = ()

    def on_train_batch_end(self, batch, logs=None):
        if self.progress.batch == len(self.batches):
            # The epoch's own checkpoint follows, after validation. In between, torch's
            # data loaders draw numbers, more or fewer of them in a resumed run.
            self.random = self.random_states()
            return
        due = self.progress.seconds - self.written >= 60 * self.minutes
        if (due or self.signals or self.limits.reached()) and all_finite(self.model):
            # Otherwise the next batch's loss will tell, and the last good one is kept.
            self.save()
            self.leave_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        if self.progress.batch == len(self.batches):  # otherwise a limit ended it
            self.progress.epoch, self.progress.batch = epoch + 1, 0
            self.save()
        self.leave_if_asked()

    def leave_if_asked(self):
        if self.signals:
            raise Interrupted(
                self.signals[0],
                f"interrupted after {self.progress.batches} batches; --resume continues from there",
            )

    def save(self):
        """Write a checkpoint of now, and remove those that are too many."""
        random = self.random or self.random_states()
        written = save_checkpoint(
            self.folder, self.model, self.progress, random, self.distribution
        )
        self.written = self.progress.seconds
        if written is None:
            return
        older = [path for path in self.paths() if path.name[:14] <= written.name[:14]]
        # Newer ones are damaged: one before them was resumed.
        for path in {*self.paths()} - {*older[-self.keep :]}:
            path.unlink()

    def random_states(self):
        """What `random_state` gives in all processes, each array as one of `(processes, ...)`."""
        return [self.distribution.all_gather(array) for array in random_state()]

    def note_best(self):
        """Write the newest checkpoint again, with what the progress now says of the best model."""
        for _, arrays, progress, backend in itertools.islice(self.whole(), 1):
            progress.best = self.progress.best
            write_checkpoint(self.folder, arrays, progress, backend)


def check(variables, arrays, name):
    """Raise a `ValueError` unless there is an array of its shape for each variable."""
    found, expected = [a.shape for a in arrays], [tuple(v.shape) for v in variables]
    if found != expected:
        raise ValueError(
            f"{name} must hold {len(expected)} arrays of the model's shapes; received {len(found)} others"
        )


def assign(variables, arrays):
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


class KeepBest(keras.callbacks.Callback):
    """Save the model into the run whenever its validation is the best so far; stop when it has not been for long.

    Args:
        run: the run directory.
        progress: the run's `Progress`, where the scores go.
        monitor: a name in the epoch's logs.
        higher_is_better: whether a higher value is a better one.
        patience: epochs without a better one after which to stop; None for never.
        distribution: the `Distribution`; its process 0 writes.
    """

    def __init__(
        self,
        run,
        progress,
        monitor="val_nats",
        higher_is_better=False,
        patience=None,
        distribution=ONE_DEVICE,
    ):
        super().__init__()
        self.run, self.progress, self.monitor, self.distribution = (
            run,
            progress,
            monitor,
            distribution,
        )
        self.higher_is_better, self.patience = higher_is_better, patience

    def on_epoch_end(self, epoch, logs=None):
        self.progress.scores[epoch] = float(logs[self.monitor])
        self.save_if_better(logs[self.monitor])
        if self.patience_is_over():
            self.model.stop_training = True

    def patience_is_over(self):
        return (
            self.patience is not None
            and self.progress.stale(self.higher_is_better) >= self.patience
        )

    def save_if_better(self, value):
        """Save the model as it is now if `value` beats the best so far; say whether it did."""
        sign, best = 1 if self.higher_is_better else -1, self.progress.best
        better = math.isfinite(value) and (best is None or sign * (value - best) > 0)
        if better:
            self.save()
            self.progress.best = float(value)
        return better

    def save(self):
        """Save the model as it is now."""
        with self.distribution.local(self.model) as model:
            if self.distribution.process == 0:
                save_model(self.run, model)


class EpochWeights(keras.callbacks.Callback):
    """Keep the weights after each of the last epochs, and of the best ones, in the run's `checkpoints/`.

    Put it after `KeepBest`, which knows the scores.

    Args:
        run: the run directory.
        progress: the run's `Progress`.
        last: how many of the last epochs to keep.
        best: how many of the best.
        higher_is_better: whether a higher score is a better one.
        distribution: the `Distribution`; its process 0 writes.
    """

    def __init__(
        self,
        run,
        progress,
        last,
        best=1,
        higher_is_better=False,
        distribution=ONE_DEVICE,
    ):
        super().__init__()
        self.folder, self.progress, self.distribution = (
            Path(run) / "checkpoints",
            progress,
            distribution,
        )
        self.last, self.best, self.higher_is_better = last, best, higher_is_better

    def on_epoch_end(self, epoch, logs=None):
        weights = {
            f"{n:05d}": weight
            for n, weight in enumerate(self.distribution.arrays(self.model.weights))
        }
        if self.distribution.process:
            return
        save_arrays(self.folder, f"epoch-{epoch + 1:04d}", weights, {})
        kept = {
            *range(epoch, epoch - self.last, -1),
            *self.progress.ranked(self.higher_is_better)[: self.best],
        }
        stems = {f"epoch-{number + 1:04d}" for number in kept}
        for path in self.folder.glob("epoch-*.safetensors"):
            if path.name.partition(".")[0] not in stems:
                path.unlink()

    def paths(self):
        """The files of the last epochs that are whole, oldest first; a warning names each that is not."""
        epochs = sorted(self.progress.scores)[-self.last :]
        found = [
            path
            for epoch in epochs
            for path in self.folder.glob(f"epoch-{epoch + 1:04d}.*.safetensors")
        ]
        for path in [path for path in found if not is_whole(path)]:
            warnings.warn(f"left out of the mean: {path.name} is damaged", stacklevel=2)
            found.remove(path)
        return found
