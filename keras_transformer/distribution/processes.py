"""Several processes that each run an unchanged `fit` and sum what they compute."""

import numpy as np
from keras import ops

from keras_transformer.distribution.distribution import Distribution, assign

# Any odd number: the processes' dropout must not be the same.
SEEDS_APART = 0x9E3779B1


class Processes(Distribution):
    """What TensorFlow and torch have in common.

    An engine adds `sum_tensors(tensors)`, the sums of a list of tensors over all
    processes, and `sum_gradients(model)`, which lets the model's optimizer apply the
    sum of all processes' gradients.
    """

    def __str__(self):
        return f"process {self.process} of {self.processes}"

    def sum(self, array):
        (total,) = self.sum_tensors([ops.convert_to_tensor(array)])
        return ops.convert_to_numpy(total)

    def prepare(self, model):
        self.sum_gradients(model)
        own_result = model.get_metrics_result

        def get_metrics_result():
            variables = model.metrics_variables
            own = [ops.copy(variable) for variable in variables]
            assign(variables, self.totals(variables))
            result = own_result()
            assign(variables, own)
            return result

        # Keras offers this method to subclasses. None can be made here: `prepare` gets
        # a finished, compiled model of any class. A callback would come too late, after
        # the logs of the batch.
        model.get_metrics_result = get_metrics_result
        # All begin with the weights of process 0.
        weights = [ops.convert_to_tensor(weight) for weight in model.weights]
        if self.process > 0:
            weights = [ops.zeros_like(weight) for weight in weights]
        assign(model.weights, self.sum_tensors(weights))
        for variable in seeds(model):
            variable.assign(offset_seed(variable, self.process))
        return model

    def totals(self, variables):
        """The states of metrics as one device would have them."""
        # As float64, which holds counts exactly and which every collective takes.
        own = [
            ops.cast(variable, "float64") * self.share(variable)
            for variable in variables
        ]
        (totals,) = self.sum_tensors([ops.stack(own)])
        return ops.unstack(totals, num=len(own))

    def share(self, variable):
        """The factor between one process's part of a metric and its part of the sum.

        Keras weighs each loss with the rows of its batch. Here the loss of a batch is
        the sum over the processes' rows, not their mean.
        """
        return self.processes if variable.path.endswith("loss/total") else 1

    def metrics(self, model):
        variables = model.metrics_variables
        return [
            ops.convert_to_numpy(ops.cast(total, variable.dtype))
            for total, variable in zip(self.totals(variables), variables, strict=True)
        ]

    def set_metrics(self, model, arrays):
        # Process 0 holds everything.
        for variable, array in zip(model.metrics_variables, arrays, strict=True):
            own = array / self.share(variable)
            variable.assign(own if self.process == 0 else np.zeros_like(array))


def seeds(model):
    """The variables that hold the states of a model's dropout."""
    return [
        variable
        for variable in model.variables
        if variable.path.endswith("seed_generator_state")
    ]


def offset_seed(seed, number):
    """The state of a seed for a process or replica; number 0 keeps its own."""
    state = ops.convert_to_numpy(seed).astype("uint64") + number * SEEDS_APART
    return (state % 2**32).astype(seed.dtype)
