"""What training asks of any engine; here for one process with one device, where all of it is trivial."""

import contextlib
import json

import numpy as np
from keras import ops


class Distribution:
    """Where a model is trained: in one process, on one device. `distribute` gives it, or the backend's engine for more.

    Every process runs the same program on its own rows of the same batches.

    Attributes:
        process: the number of this process, from 0; number 0 is the one that writes.
        processes: how many there are.
        devices: parts into which each process cuts its rows: its devices, or groups of
            devices that share one model.
    """

    process, processes, devices = 0, 1, 1

    @property
    def shard(self):
        """What `TokenBatches` is to know: process, processes, devices."""
        return self.process, self.processes, self.devices

    def __str__(self):
        return "one device"

    def check(self, model, training):
        """Raise a `ValueError` for what this engine cannot do of a `TransformerConfig` and a `TrainingConfig`."""

    def scope(self):
        """Context manager: a model that is made and fitted in it lies on all devices."""
        return contextlib.nullcontext()

    def undistributed(self):
        """Context manager: what is made in it is this process's own."""
        return contextlib.nullcontext()

    def prepare(self, model):
        """Make a compiled model's updates and logs those of all devices and processes; give the model."""
        return model

    def sum(self, array):
        """The sum of an array of numbers over all processes, each of which must call this."""
        return np.asarray(array)

    def arrays(self, variables):
        """The values of variables as NumPy arrays, gathered from all devices. Each process must call it."""
        return [ops.convert_to_numpy(variable) for variable in variables]

    def metrics(self, model):
        """The values of a model's metrics so far, those of one device that did it all. Each process must call it."""
        return self.arrays(model.metrics_variables)

    def set_metrics(self, model, arrays):
        """Go on with what `metrics` gave."""
        for variable, array in zip(model.metrics_variables, arrays, strict=True):
            variable.assign(array)

    def local(self, model):
        """A model of the same weights and optimizer that this process can use alone. Each process must call it."""
        return model

    def all_gather(self, array):
        """The arrays of all processes, of one shape, as one `(processes, ...)`. Each process must call it."""
        rows = np.zeros((self.processes, *np.shape(array)), np.asarray(array).dtype)
        rows[self.process] = array
        return self.sum(rows)

    def gather(self, texts):
        """The lists of strings of all processes, one for each. Each process must call it."""
        own = np.frombuffer(json.dumps(texts).encode(), np.uint8)
        sizes = self.all_gather(np.array(len(own), "int32"))
        rows = self.all_gather(
            np.pad(own, (0, sizes.max() - len(own))).astype("int32")
        ).astype(np.uint8)
        return [json.loads(row[:size].tobytes()) for row, size in zip(rows, sizes)]

    def must_agree(self, what, *numbers):
        """Raise a `ValueError` in all processes unless they found the same numbers. Each process must call it."""
        said = self.all_gather(np.array(numbers, "int32"))
        if (said != said[0]).any():
            raise ValueError(
                f"all processes must find the same {what}; received {said.tolist()}: do they share the run?"
            )

    @contextlib.contextmanager
    def main_process_first(self):
        """A block in which process 0 works, told by the value given, while the others wait.

        Raises:
            ValueError: in the others, if it failed in process 0.
        """
        failed = 1
        try:
            yield self.process == 0
            failed = 0
        finally:
            failures = int(
                self.sum(np.array([failed if self.process == 0 else 0], "int32"))[0]
            )
        if failures and self.process:
            raise ValueError("process 0 failed; its own output says why")


def before_apply(optimizer, change):
    """Make an optimizer clip, accumulate and apply `change(gradients)` in place of the gradients."""
    own_apply = optimizer.apply

    def apply(gradients, variables=None):
        return own_apply(change(gradients), variables)

    optimizer.apply = apply


ONE_DEVICE = Distribution()
