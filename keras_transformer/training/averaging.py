"""Means of weights, which translate better than any of them.

There are two: the mean of several checkpoints, and the moving average that the
optimizer keeps.
"""

from collections.abc import Iterable

import numpy as np

from ..config import expect
from .progress import SessionCallback, inner_optimizer


def average_weights(checkpoints):
    """The mean of models' weights, array by array: `mean_k w_k`, summed in float64.

    Args:
        checkpoints: an iterable of lists of arrays, each as `model.get_weights()` gives
            them; read one at a time.

    Returns:
        a list of arrays, for `model.set_weights`.

    Raises:
        ValueError: if there is no checkpoint, one is no list of arrays, or their shapes
            differ.

    Examples:
        >>> average_weights([[np.array([1.0, 3.0])], [np.array([3.0, 5.0])]])
        [array([2., 4.])]

    Source: Vaswani et al. 2017, section 6.1 (the last 5 checkpoints for base, 20 for
    big).
    """
    sums = []
    count = 0
    must = "be lists of arrays, as model.get_weights() gives them"
    expect(isinstance(checkpoints, Iterable), "checkpoints", must, checkpoints)
    for weights in checkpoints:
        is_list = isinstance(weights, (list, tuple))
        expect(is_list, "checkpoints", must, weights)
        arrays = [np.asarray(weight) for weight in weights]
        sums = sums or [np.zeros(array.shape) for array in arrays]
        shapes = [total.shape for total in sums]
        received = [array.shape for array in arrays]
        are_equal = f"hold arrays of shapes {shapes}"
        expect(received == shapes, "checkpoints", are_equal, received)
        for total, array in zip(sums, arrays):
            total += array
        count += 1
    expect(count, "checkpoints", "hold at least one list of weights", count)
    return [(total / count).astype(array.dtype) for total, array in zip(sums, arrays)]


class AveragedWeights(SessionCallback):
    """Show to validation, and to what is saved of an epoch, the moving average.

    The callbacks up to `LearningWeights` see it at the end of an epoch.

    Source: Polyak and Juditsky 1992; Junczys-Dowmunt et al. 2018 (Marian).
    """

    def on_test_begin(self, logs=None):
        inner_optimizer(self.model).swap_moving_average()

    def on_test_end(self, logs=None):
        inner_optimizer(self.model).swap_moving_average()

    def on_epoch_end(self, epoch, logs=None):
        inner_optimizer(self.model).swap_moving_average()


class LearningWeights(SessionCallback):
    """Take back the weights that learn, before the checkpoint."""

    def on_epoch_end(self, epoch, logs=None):
        inner_optimizer(self.model).swap_moving_average()
