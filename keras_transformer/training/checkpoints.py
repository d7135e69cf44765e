"""What is kept to go on from: checkpoints, and the weights of some epochs."""

import dataclasses
import warnings

import keras
from keras import ops

from keras_transformer.distribution.random_state import random_state, set_random_state
from keras_transformer.runs.sealed_files import (
    UNREADABLE,
    is_whole,
    load_arrays,
    save_arrays,
    sha256,
)
from keras_transformer.training.progress import Interrupted, Progress, SessionCallback


def all_finite(model):
    """Whether every weight is a finite number."""
    # Where they are, on whatever devices.
    return all(bool(ops.all(ops.isfinite(weight))) for weight in model.weights)


def state(model):
    """All variables that make the next update; the seeds of dropout are among them."""
    return {"model": model.variables, "optimizer": model.optimizer.variables}


def numbered(arrays, prefix=""):
    """Arrays by name, in an order that the names keep."""
    return {f"{prefix}{n:05d}": array for n, array in enumerate(arrays)}


def check(variables, arrays, name):
    """Raise a `ValueError` unless there is an array of its shape for each variable."""
    found = [array.shape for array in arrays]
    expected = [tuple(variable.shape) for variable in variables]
    if found != expected:
        raise ValueError(
            f"{name} must hold {len(expected)} arrays of the model's shapes; "
            f"received {len(found)} others"
        )


def stem(path):
    """The name of a file of arrays without its digest."""
    return path.name.partition(".")[0]


class Checkpoints(SessionCallback):
    """Write checkpoints: after some minutes, after every epoch, and at a signal.

    A file `checkpoints/batch-00001234.DIGEST.safetensors` holds weights, optimizer, the
    states of dropout, the metrics so far, and the `Progress`.
    """

    def __init__(self, session):
        super().__init__(session)
        self.written = 0.0  # seconds of training before the newest
        self.metrics = []  # to go on with when the epoch begins
        self.random = []  # to go on with at the next batch

    def restore(self, model):
        """Bring model and progress to the newest checkpoint that is whole.

        A warning names each one that is skipped. The metrics follow when the epoch
        begins, after Keras's own reset. Nothing changes if there is no checkpoint.
        """
        model.optimizer.build(model.trainable_variables)
        newest = next(self.whole(), None)
        if newest is None:
            if self.paths():
                raise ValueError(
                    f"none of the checkpoints in {str(self.session.folder)!r} can be "
                    "used; --overwrite begins anew"
                )
            return
        path, arrays, progress, backend = newest
        groups = {"model": [], "optimizer": [], "metrics": [], "random": []}
        for name, array in arrays.items():
            groups.setdefault(name.partition("/")[0], []).append(array)
        for group, variables in state(model).items():
            check(variables, groups[group], path.name)
        for group, variables in state(model).items():
            for variable, array in zip(variables, groups[group], strict=True):
                variable.assign(array)
        self.session.progress = progress
        self.written = progress.seconds
        self.metrics = groups["metrics"] if progress.batch else []
        self.random = groups["random"]
        if backend != keras.backend.backend():
            print(
                f"This run was on {backend} so far: from here on it is not bit for bit "
                "what it would be there."
            )

    def whole(self):
        """The checkpoints that can be read, newest first.

        Path, arrays, `Progress` and backend of each.
        """
        for path in self.paths()[::-1]:
            try:
                arrays, metadata = load_arrays(path)
                if metadata["run"] != self.run_id():
                    raise ValueError(f"{path.name} is that of another run")
                progress = Progress(**metadata["progress"])
                backend = metadata["backend"]
            except UNREADABLE as error:
                warnings.warn(f"skipped a checkpoint: {error}", stacklevel=2)
                continue
            yield path, arrays, progress, backend

    def run_id(self):
        """What a checkpoint belongs to: the digest of settings, seed and data."""
        return sha256(self.session.run.path / "manifest.json")

    def paths(self):
        """The files of all checkpoints, oldest first."""

        def age(path):
            # Of two of one position, which a kill may leave, the newer is the second.
            return stem(path), path.stat().st_mtime_ns

        return sorted(self.session.folder.glob("batch-*.safetensors"), key=age)

    def on_epoch_begin(self, epoch, logs=None):
        if not self.metrics:
            return
        # Keras makes some only when it needs them.
        if len(self.model.metrics_variables) < len(self.metrics):
            # Of one row: metrics do not depend on how many there are.
            inputs, labels, weights = keras.tree.map_structure(
                lambda array: array[:1], self.session.batches[0]
            )
            logits = ops.zeros((*labels.shape, self.model.config.target_vocab_size))
            tensors = map(ops.convert_to_tensor, (labels, logits, weights))
            self.model.compute_metrics(inputs, *tensors)
        check(self.model.metrics_variables, self.metrics, "the checkpoint's metrics")
        self.session.distribution.set_metrics(self.model, self.metrics)
        self.metrics = []

    def on_train_batch_begin(self, batch, logs=None):
        process = self.session.distribution.process
        # Otherwise there were fewer processes.
        if all(process < len(states) for states in self.random):
            set_random_state([states[process] for states in self.random])
        self.random = []

    def on_train_batch_end(self, batch, logs=None):
        session = self.session
        if session.progress.batch == len(session.batches):
            # The epoch's own checkpoint follows, after validation. In between, torch's
            # data loaders draw numbers, more or fewer of them in a resumed run.
            self.random = self.random_states()
            return
        waited = session.progress.seconds - self.written
        is_due = waited >= 60 * session.training.checkpoint_minutes
        is_due = is_due or session.signal or session.limit_is_reached()
        # Where a weight is not finite, the next batch's loss will tell, and the last
        # good checkpoint is kept.
        if is_due and all_finite(self.model):
            self.save()
            self.leave_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        progress = self.session.progress
        if progress.batch == len(self.session.batches):  # otherwise a limit ended it
            progress.epoch = epoch + 1
            progress.batch = 0
            self.save()
        self.leave_if_asked()

    def leave_if_asked(self):
        if self.session.signal:
            raise Interrupted(
                self.session.signal,
                f"interrupted after {self.session.progress.batches} batches; --resume "
                "continues from there",
            )

    def save(self):
        """Write a checkpoint of now, and remove those that are too many."""
        session = self.session
        distribution = session.distribution
        groups = {
            group: distribution.arrays(variables)
            for group, variables in state(self.model).items()
        }
        groups["metrics"] = distribution.metrics(self.model)
        groups["random"] = self.random or self.random_states()
        self.written = session.progress.seconds
        if not session.writes:
            return
        arrays = {}
        for group, found in groups.items():
            arrays |= numbered(found, f"{group}/")
        written = self.write(arrays, session.progress, keras.backend.backend())
        paths = self.paths()
        older = [path for path in paths if stem(path) <= stem(written)]
        # Newer ones are damaged: one before them was resumed.
        for path in set(paths) - set(older[-session.training.keep_last :]):
            path.unlink()

    def write(self, arrays, progress, backend):
        metadata = {
            "progress": dataclasses.asdict(progress),
            "backend": backend,
            "run": self.run_id(),
        }
        name = f"batch-{progress.batches:08d}"
        return save_arrays(self.session.folder, name, arrays, metadata)

    def random_states(self):
        """What `random_state` gives in each process, as arrays `(processes, ...)`."""
        return [self.session.distribution.all_gather(array) for array in random_state()]

    def note_best(self):
        """Write into the newest checkpoint what is now the best score."""
        newest = next(self.whole(), None)
        if newest is not None:
            _, arrays, progress, backend = newest
            progress.best = self.session.progress.best
            self.write(arrays, progress, backend)


class EpochWeights(SessionCallback):
    """Keep the weights of the last epochs and of the best ones in `checkpoints/`."""

    def on_epoch_end(self, epoch, logs=None):
        session = self.session
        arrays = session.distribution.arrays(self.model.weights)
        if not session.writes:
            return
        save_arrays(session.folder, epoch_name(epoch), numbered(arrays), {})
        kept = list(range(epoch, epoch - session.training.average_last, -1))
        kept += session.ranked_epochs()[: session.training.keep_best]
        names = {epoch_name(number) for number in kept}
        for path in session.folder.glob("epoch-*.safetensors"):
            if stem(path) not in names:
                path.unlink()

    def paths(self):
        """The files of the last epochs, oldest first.

        A warning names each that is damaged and left out.
        """
        found = []
        epochs = range(len(self.session.progress.scores))
        for epoch in epochs[-self.session.training.average_last :]:
            for path in self.session.folder.glob(f"{epoch_name(epoch)}.*.safetensors"):
                if is_whole(path):
                    found.append(path)
                else:
                    warnings.warn(
                        f"left out of the mean: {path.name} is damaged", stacklevel=2
                    )
        return found


def epoch_name(epoch):
    """The stem of the file that holds an epoch's weights."""
    return f"epoch-{epoch + 1:04d}"
