"""The mean of several checkpoints, which translates better than any of them."""

import numpy as np

from ..config import expect


def average_weights(checkpoints):
    """The mean of models' weights, array by array: `mean_k w_k`, summed in float64.

    Args:
        checkpoints: an iterable of lists of arrays, each as `model.get_weights()` gives
            them; read one at a time.

    Returns:
        a list of arrays, for `model.set_weights`.

    Raises:
        ValueError: if there is no checkpoint, or their shapes differ.

    Examples:
        >>> average_weights([[np.array([1.0, 3.0])], [np.array([3.0, 5.0])]])
        [array([2., 4.])]

    Source: Vaswani et al. 2017, section 6.1 (the last 5 checkpoints for base, 20 for
    big).
    """
    sums = []
    count = 0
    for weights in checkpoints:
        arrays = [np.asarray(weight) for weight in weights]
        sums = sums or [np.zeros(array.shape) for array in arrays]
        shapes = [total.shape for total in sums]
        found = [array.shape for array in arrays]
        expect(found == shapes, "checkpoints", f"hold arrays of shapes {shapes}", found)
        for total, array in zip(sums, arrays):
            total += array
        count += 1
    expect(count, "checkpoints", "hold at least one list of weights", count)
    return [(total / count).astype(array.dtype) for total, array in zip(sums, arrays)]
