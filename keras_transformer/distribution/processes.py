"""Several processes that each run an unchanged `fit`: their gradients and metrics are summed on the way."""

import numpy as np
from keras import ops

from keras_transformer.distribution.distribution import Distribution

SEEDS_APART = 0x9E3779B1  # any odd number: the processes' dropout must not be the same


class Processes(Distribution):
    """What TensorFlow and torch have in common; an engine adds `sum_tensors` and `sum_gradients`."""

    def __str__(self):
        return f"process {self.process} of {self.processes}"

    def sum_tensors(self, tensors):
        """The sums of a list of tensors over all processes."""
        raise NotImplementedError

    def sum_gradients(self, model):
        """Make the model's optimizer apply the sum of all processes' gradients."""
        raise NotImplementedError

    def sum(self, array):
        (total,) = self.sum_tensors([ops.convert_to_tensor(array)])
        return ops.convert_to_numpy(total)

    def prepare(self, model):
        weights = [
            ops.convert_to_numpy(weight) * (self.process == 0)
            for weight in model.weights
        ]
        totals = self.sum_tensors([ops.convert_to_tensor(weight) for weight in weights])
        assign(model.weights, totals)  # all begin with those of process 0
        for variable in seeds(model):
            variable.assign(offset_seed(variable, self.process))
        self.sum_gradients(model)
        self.sum_metrics(model)
        return model

    def sum_metrics(self, model):
        """Make what the model reports, after each batch and each epoch, that of all processes."""
        own_result = model.get_metrics_result

        def get_metrics_result():
            variables = model.metrics_variables
            own = [ops.copy(variable) for variable in variables]
            # As float64, which holds counts exactly and which every collective takes.
            (totals,) = self.sum_tensors(
                [ops.stack([ops.cast(value, "float64") for value in own])]
            )
            assign(variables, ops.unstack(totals, num=len(own)))
            result = own_result()
            assign(variables, own)
            # Keras weighs each loss with the rows of its batch; here it is the sum over
            # all rows, not their mean.
            return {**result, "loss": result["loss"] * self.processes}

        model.get_metrics_result = get_metrics_result

    def metrics(self, model):
        sums = [
            (self.sum(ops.convert_to_numpy(variable)), self.share(variable))
            for variable in model.metrics_variables
        ]
        return [np.asarray(total * share, total.dtype) for total, share in sums]

    def set_metrics(self, model, arrays):
        for variable, array in zip(model.metrics_variables, arrays, strict=True):
            own = (
                array / self.share(variable)
                if self.process == 0
                else np.zeros_like(array)
            )
            variable.assign(own.astype(array.dtype))

    def share(self, variable):
        """By what one process's value must be multiplied: see `sum_metrics` of the loss."""
        return self.processes if variable.path.endswith("loss/total") else 1


def seeds(model):
    """The variables that hold the states of a model's dropout."""
    return [
        variable
        for variable in model.variables
        if variable.path.endswith("seed_generator_state")
    ]


def offset_seed(seed, number):
    """The state of a seed for the process or replica of a number; its own for number 0."""
    state = ops.convert_to_numpy(seed).astype("uint64") + number * SEEDS_APART
    return (state % 2**32).astype(seed.dtype)


def assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(ops.cast(value, variable.dtype))
