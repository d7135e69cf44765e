"""What training asks of any engine; for one device, all of it is trivial."""

import contextlib
import json

import numpy as np
from keras import ops

from keras_transformer.config import expect


class Distribution:
    """Where a model is trained: here in one process, on one device.

    `distribute` gives this one, or the backend's engine for more. Every process runs
    the same program on its own rows of the same batches. From `prepare` on, each method
    must be called by all processes, and waits for them.

    Attributes:
        process: the number of this process, from 0; number 0 is the one that writes.
        processes: how many there are.
        devices: parts into which each process cuts its rows: its devices, or groups of
            devices that share one model.
    """

    process = 0
    processes = 1
    devices = 1

    @property
    def shard(self):
        """What `TokenBatches` must know: process, processes, devices."""
        return self.process, self.processes, self.devices

    def __str__(self):
        return "one device"

    def check(self, model, training):
        """Raise a `ValueError` for settings that this engine cannot do.

        Args:
            model: a `TransformerConfig`.
            training: a `TrainingConfig`.
        """

    def scope(self):
        """Context manager: a model made and fitted in it lies on all devices."""
        return contextlib.nullcontext()

    def prepare(self, model):
        """Make a compiled model's updates and logs those of all devices.

        Returns:
            The model.

        Raises:
            ValueError: if this engine must sum the gradients and the model's optimizer
                is no `GradientTransform`.
        """
        return model

    def sum(self, array):
        """The sum of an array over all processes."""
        return np.asarray(array)

    def arrays(self, variables):
        """The values of variables as NumPy arrays."""
        return [ops.convert_to_numpy(variable) for variable in variables]

    def metrics(self, model):
        """The states of a model's metrics, as one device would have them."""
        return self.arrays(model.metrics_variables)

    def set_metrics(self, model, arrays):
        """Go on with what `metrics` gave."""
        assign(model.metrics_variables, arrays)

    def local(self, model):
        """Context manager: a model of the same weights for this process alone.

        What is made in it is this process's own.
        """
        return contextlib.nullcontext(model)

    def all_gather(self, array):
        """The arrays of all processes, of one shape, as one `(processes, ...)`."""
        array = np.asarray(array)
        rows = np.zeros((self.processes, *array.shape), array.dtype)
        rows[self.process] = array
        return self.sum(rows)

    def gather(self, texts):
        """The lists of strings of all processes."""
        own = json.dumps(texts).encode()
        longest = self.all_gather(np.array(len(own), "int32")).max()
        padded = np.frombuffer(own.ljust(longest), np.uint8).astype("int32")
        rows = self.all_gather(padded).astype(np.uint8)
        return [json.loads(row.tobytes()) for row in rows]

    def must_agree(self, what, *numbers):
        """Raise a `ValueError` in all processes unless all found the same numbers."""
        found = self.all_gather(np.array(numbers, "int32"))
        is_same = (found == found[0]).all()
        expect(
            is_same, "processes", f"find the same {what}, in one run", found.tolist()
        )

    @contextlib.contextmanager
    def main_process_first(self):
        """Context manager that says whether this is process 0; the others wait for it.

        Raises:
            ValueError: in the others, if the block failed in process 0.
        """
        failures = int(self.process == 0)
        try:
            yield self.process == 0
            failures = 0
        finally:
            failures = self.sum(np.array(failures, "int32"))
        if failures:
            raise ValueError("process 0 failed; its own output says why")


def transform_gradients(optimizer, transform):
    """Let an optimizer clip, accumulate and apply `transform(gradients)`."""
    kind = type(optimizer).__name__
    is_one = hasattr(optimizer, "gradient_transform")
    bases = f"(GradientTransform, {kind})"
    expect(is_one, "optimizer", f"be of a class of {bases} on several devices", kind)
    optimizer.gradient_transform = transform


def assign(variables, values):
    """Assign values to variables, each as the type of its variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(ops.cast(value, variable.dtype))


ONE_DEVICE = Distribution()
