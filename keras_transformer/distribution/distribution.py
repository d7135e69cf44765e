"""What training asks of any engine: one device's, and what several processes share."""

import contextlib
import json

import numpy as np
from keras import ops

from ..config import expect


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
        return f"{self.processes} x {self.devices} devices"

    def check(self, model, training):
        """Raise a `ValueError` for configs that this engine cannot do."""

    def scope(self):
        """Context manager: a model made and fitted in it lies on all devices."""
        return contextlib.nullcontext()

    def prepare(self, model):
        """Let a compiled model's updates and logs be those of all devices; return it.

        Raises:
            ValueError: if gradients must be summed, and its optimizer is no
                `GradientTransform`.
        """
        return model

    def sum(self, array):
        """The sum of an array over all processes."""
        return np.asarray(array)

    def arrays(self, variables):
        """The values of variables as NumPy arrays."""
        return [ops.convert_to_numpy(one) for one in variables]

    def metrics(self, model):
        """The states of a model's metrics, as one device would have them."""
        return self.arrays(model.metrics_variables)

    def set_metrics(self, model, arrays):
        """Go on with what `metrics` gave."""
        assign(model.metrics_variables, arrays)

    def local(self, model):
        """Context manager: a model of the same weights for this process alone."""
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
        codes = np.array([*own.ljust(longest)], "int32")
        return [json.loads(bytes(row.tolist())) for row in self.all_gather(codes)]

    def must_agree(self, what, *numbers):
        """Raise a `ValueError` in all processes unless all found the same numbers."""
        found = self.all_gather(np.array(numbers, "int32"))
        expectation = f"find the same {what}"
        expect((found == found[0]).all(), "processes", expectation, found.tolist())

    @contextlib.contextmanager
    def main_process_first(self):
        """Context manager that says whether this is process 0; the others wait for it.

        They raise a `ValueError` if the block failed in process 0.
        """
        is_first = self.process == 0
        failed = is_first
        try:
            yield is_first
            failed = False
        finally:
            failures = self.sum(np.array(failed, "int32"))
        if failures:
            raise ValueError("process 0 failed; its own output says why")


class Processes(Distribution):
    """What TensorFlow and torch have in common.

    An engine adds `sum_tensors(tensors)`, over all processes, and
    `sum_gradients(model)`, which lets the model's optimizer apply such sums.
    """

    def sum(self, array):
        (total,) = self.sum_tensors([ops.convert_to_tensor(array)])
        return ops.convert_to_numpy(total)

    def prepare(self, model):
        self.sum_gradients(model)
        own_result = model.get_metrics_result

        def get_metrics_result():
            variables = model.metrics_variables
            own = [ops.copy(one) for one in variables]
            assign(variables, self.totals(variables))
            result = own_result()
            assign(variables, own)
            return result

        # Keras offers this method to subclasses. None can be made here: `prepare` gets
        # a finished, compiled model of any class. A callback would come too late, after
        # the logs of the batch.
        model.get_metrics_result = get_metrics_result
        # All begin as process 0 does.
        weights = [ops.convert_to_tensor(one) for one in model.weights]
        if self.process > 0:
            weights = [ops.zeros_like(one) for one in weights]
        assign(model.weights, self.sum_tensors(weights))
        for variable in seeds(model):
            variable.assign(offset_seed(variable, self.process))
        return model

    def totals(self, variables):
        """The states of metrics as one device would have them."""
        # As float64, which holds counts exactly and which every collective takes.
        own = [ops.cast(one, "float64") * self.share(one) for one in variables]
        (totals,) = self.sum_tensors([ops.stack(own)])
        return ops.unstack(totals, len(own))

    def share(self, variable):
        """The factor between one process's part of a metric and its part of the sum."""
        # Keras weighs each loss with the rows of its batch. Here the loss of a batch is
        # the sum over the processes' rows, not their mean.
        return self.processes if variable.path.endswith("loss/total") else 1

    def metrics(self, model):
        totals = self.totals(model.metrics_variables)
        return [ops.convert_to_numpy(total) for total in totals]

    def set_metrics(self, model, arrays):
        # Process 0 holds everything.
        for variable, array in zip(model.metrics_variables, arrays, strict=True):
            own = array if self.process == 0 else np.zeros_like(array)
            variable.assign(own / self.share(variable))


def seeds(model):
    """The variables that hold the states of a model's dropout."""
    return [one for one in model.variables if one.name == "seed_generator_state"]


def offset_seed(seed, number):
    """The state of a seed for a process or replica; number 0 keeps its own."""
    state = ops.convert_to_numpy(seed).astype("uint64")
    # Any odd number: the processes' dropout must not be the same.
    state += number * 0x9E3779B1
    return (state % 2**32).astype(seed.dtype)


def transform_gradients(optimizer, transform):
    """Let an optimizer clip, accumulate and apply `transform(gradients)`."""
    kind = type(optimizer).__name__
    is_ours = hasattr(optimizer, "gradient_transform")
    expect(is_ours, "optimizer", "be a GradientTransform on several devices", kind)
    optimizer.gradient_transform = transform


def assign(variables, values):
    """Assign values to variables, each as the type of its variable."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(ops.cast(value, variable.dtype))


ONE_DEVICE = Distribution()
