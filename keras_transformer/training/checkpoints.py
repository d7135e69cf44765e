"""The files of a training: log, best model, weights of epochs, checkpoints."""

import dataclasses
import json
import warnings

import keras
from keras import ops

from ..config import expect
from ..distribution.random_state import random_state, set_random_state
from ..runs.card import write_card
from ..runs.sealed_files import (
    UNREADABLE,
    is_whole,
    load_arrays,
    new_file,
    save_arrays,
    sha256,
)
from .progress import Interrupted, Progress, SessionCallback, all_finite


def stem(path):
    """The name of a file up to its first dot: of which batch or epoch it is."""
    return path.name.partition(".")[0]


def age(path):
    """A key that sorts checkpoints by batch, and two of one batch by time.

    A kill may leave two of one batch.
    """
    return stem(path), path.stat().st_mtime_ns


class RunLog(SessionCallback):
    """Add a line to `log.jsonl` after every epoch: its number, seconds and logs."""

    def __init__(self, session, bleu=None):
        super().__init__(session)
        self.bleu = bleu

    def rewind(self):
        """Make its lines those that the checkpoint has.

        Others go, for they will be written again.
        """
        progress = self.progress
        log = self.run.log
        if not progress.rows:  # one of an older version has none
            progress.rows = [row for row in log if row["epoch"] <= progress.epoch]
        rows = progress.rows
        if log[: len(rows)] != rows:
            what = f"{len(rows)} epochs are written again, as in the checkpoint"
            warnings.warn(f"log.jsonl is damaged: its {what}", stacklevel=2)
        self.write(rows)

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, "seconds": round(self.progress.seconds, 2)}
        row |= {name: float(value) for name, value in logs.items()}
        if self.bleu is not None:
            row["bleu_signature"] = self.bleu.scores.bleu_signature
            row["chrf_signature"] = self.bleu.scores.chrf_signature
        self.progress.rows[epoch:] = [row]
        self.write(self.progress.rows)

    def write(self, rows):
        """Write the whole file anew, in process 0."""
        if self.writes:
            with new_file(self.run.path / "log.jsonl") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)


class KeepBest(SessionCallback):
    """Save the model when its score is the best; stop when the patience is over."""

    def on_epoch_end(self, epoch, logs=None):
        score = float(logs[self.session.monitor])
        self.progress.scores[epoch:] = [score]
        self.save_if_better(score)
        if self.session.patience_is_over():
            self.model.stop_training = True

    def save_if_better(self, score):
        """Save the model as it is now if its score is the best; say whether it was."""
        is_better = self.session.is_better(score)
        if is_better:
            self.save()
            self.progress.best = score
        return is_better

    def save(self):
        """Save the model as it is now, in process 0."""
        with self.distribution.local(self.model) as model:
            if self.writes:
                self.run.save_model(model)


class Checkpoints(SessionCallback):
    """Write checkpoints: after some minutes, after every epoch, and at a signal.

    A file `checkpoints/batch-00001234.DIGEST.safetensors` holds weights, optimizer, the
    states of dropout, the metrics so far, and the `Progress`.
    """

    written = 0.0  # seconds of training before the newest
    metrics = ()  # to go on with when the epoch begins, if it is under way
    random = ()  # to go on with at the next batch

    def restore(self, model):
        """Bring model and progress to the newest checkpoint that is whole, if any.

        The metrics follow when the epoch begins, after Keras's own reset.
        """
        path, arrays, metadata = self.newest()
        if path is None:
            # What the first epoch leaves is written before its checkpoint.
            epochs = len(self.run.log)
            must = f"hold the checkpoints of {epochs} epochs; --overwrite begins anew"
            expect(epochs < 2, f"'{self.folder}'", must, None)
            if epochs:
                said = "there is no checkpoint: the first epoch is trained again"
                warnings.warn(said, stacklevel=2)
            return
        model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        values = arrays["model"] + arrays["optimizer"]
        shapes = [value.shape for value in values]
        expected = [tuple(variable.shape) for variable in variables]
        what = f"hold {len(expected)} arrays of the model's shapes"
        expect(shapes == expected, path.name, what, f"{len(shapes)} others")
        for variable, value in zip(variables, values):
            variable.assign(value)
        self.session.progress = Progress(**metadata["progress"])
        self.written = self.progress.seconds
        self.session.earlier = self.progress.seconds
        if self.progress.batch:
            self.metrics = arrays["metrics"]
        self.random = arrays["random"]
        backend = metadata["backend"]
        if backend != keras.backend.backend():
            print(
                f"This run was on {backend} so far: from here on it is not bit for bit "
                "what it would be there."
            )

    def newest(self):
        """Path, arrays and metadata of the newest checkpoint that can be read."""
        paths = self.paths()
        for path in reversed(paths):
            try:
                arrays, metadata = load_arrays(path)
                if metadata["run"] != self.run_id():
                    raise ValueError(f"{path.name} is that of another run")
                return path, arrays, metadata
            except UNREADABLE as error:
                warnings.warn(f"skipped a checkpoint: {error}", stacklevel=2)
        if paths:
            raise ValueError(
                f"none of the checkpoints in '{self.folder}' can be used; --overwrite "
                "begins anew"
            )
        return None, {}, {}

    def run_id(self):
        """The digest of settings, seed and data, which checkpoints belong to."""
        return sha256(self.run.path / "manifest.json")

    def paths(self):
        """The files of all checkpoints, oldest first."""
        return sorted(self.folder.glob("batch-*.safetensors"), key=age)

    def on_epoch_begin(self, epoch, logs=None):
        if not self.metrics:
            return
        if len(self.model.metrics_variables) < len(self.metrics):
            self.make_metrics()
        if len(self.model.metrics_variables) == len(self.metrics):
            self.distribution.set_metrics(self.model, self.metrics)
        else:
            said = "the metrics of this epoch begin here: another version began it"
            warnings.warn(said, stacklevel=2)
        self.metrics = ()

    def make_metrics(self):
        """Make the variables of the metrics, some of which Keras makes at their use."""
        # Of one row: metrics do not depend on how many there are.
        row = [array[:1] for array in self.session.batches[0][1:]]
        labels, weights = map(ops.convert_to_tensor, row)
        logits = ops.zeros((*labels.shape, self.model.decoder.classes))
        self.model.compute_metrics(None, labels, logits, weights)

    def on_train_batch_begin(self, batch, logs=None):
        if not self.random:
            return
        process = self.distribution.process
        # Otherwise there were fewer processes.
        if all(process < len(states) for states in self.random):
            set_random_state([states[process] for states in self.random])
        self.random = ()

    def on_train_batch_end(self, batch, logs=None):
        session = self.session
        is_whole_epoch = self.progress.batch == len(session.batches)
        if is_whole_epoch or session.limit_is_reached():
            # The checkpoint follows once the epoch is scored: otherwise a run that is
            # killed in between would seem done. Until then, torch's data loaders draw
            # numbers, more or fewer of them in a resumed run, and validation begins
            # with new metrics.
            self.random = self.random_states()
            if not is_whole_epoch:
                self.metrics = self.distribution.metrics(self.model)
            return
        waited = (self.progress.seconds - self.written) / 60
        is_late = waited >= self.training.checkpoint_minutes
        # Where a weight is not finite, the next batch's loss will tell, and the last
        # good checkpoint is kept.
        if (is_late or session.signal) and all_finite(self.model):
            self.save()
            self.leave_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        progress = self.progress
        if progress.batch == len(self.session.batches):  # otherwise a limit ended it
            progress.epoch = epoch + 1
            progress.batch = 0
        self.save()
        self.leave_if_asked()

    def leave_if_asked(self):
        """Raise `Interrupted` if a process of the run was sent a signal."""
        if self.session.signal:
            raise Interrupted(self.session.signal, self.progress.batches)

    def save(self):
        """Write a checkpoint of now, and remove those that are too many."""
        distribution = self.distribution
        arrays = {
            "model": distribution.arrays(self.model.variables),
            "optimizer": distribution.arrays(self.model.optimizer.variables),
            "metrics": self.metrics or distribution.metrics(self.model),
            "random": self.random or self.random_states(),
        }
        self.written = self.progress.seconds
        if not self.writes:
            return
        self.run.check_place()
        metadata = {
            "progress": dataclasses.asdict(self.progress),
            "backend": keras.backend.backend(),
            "run": self.run_id(),
        }
        name = f"batch-{self.progress.batches:08d}"
        save_arrays(self.folder, name, arrays, metadata)
        write_card(self.run)
        paths = self.paths()
        older = [path for path in paths if stem(path) <= name]
        # Newer ones are damaged: one before them was resumed.
        for path in {*paths} - {*older[-self.training.keep_last :]}:
            path.unlink()

    def random_states(self):
        """The `random_state` of each process, as arrays `(processes, ...)`."""
        return [self.distribution.all_gather(array) for array in random_state()]

    def note_best(self):
        """Write into the newest checkpoint what is now the best score."""
        path, arrays, metadata = self.newest()
        if path is not None:
            metadata["progress"]["best"] = self.progress.best
            save_arrays(self.folder, stem(path), arrays, metadata)
        write_card(self.run)


class EpochWeights(SessionCallback):
    """Keep the weights of the last epochs and of the best ones in `checkpoints/`."""

    def on_epoch_end(self, epoch, logs=None):
        arrays = {"model": self.distribution.arrays(self.model.weights)}
        if not self.writes:
            return
        save_arrays(self.folder, epoch_name(epoch), arrays, {})
        kept = [*range(epoch, epoch - self.training.average_last, -1)]
        kept += self.session.ranked_epochs()[: self.training.keep_best]
        names = [epoch_name(number) for number in kept]
        for path in self.folder.glob("epoch-*.safetensors"):
            if stem(path) not in names:
                path.unlink()

    def paths(self, count):
        """The files of the last `count` epochs, oldest first.

        A warning names each that is damaged or missing.
        """
        paths = []
        epochs = range(len(self.progress.scores))
        for epoch in epochs[-count:]:
            name = epoch_name(epoch)
            all_files = [*self.folder.glob(f"{name}.*.safetensors")]
            whole = [path for path in all_files if is_whole(path)]
            paths += whole
            if not whole:
                what = "is damaged" if all_files else "is missing"
                said = f"left out of the mean: {name}.*.safetensors {what}"
                warnings.warn(said, stacklevel=2)
        return paths


def epoch_name(epoch):
    """The name of the weights of an epoch, which counts from 0."""
    return f"epoch-{epoch + 1:04d}"
