"""The mean of several checkpoints, which translates better than any of them."""

import numpy as np


def average_weights(checkpoints):
    """The mean of models' weights, array by array: `mean_k w_k`, summed in float64.

    Args:
        checkpoints: an iterable of lists of arrays, each as `model.get_weights()` gives
            them; read one at a time.

    Returns:
        a list of arrays, for `model.set_weights`.

    Raises:
        ValueError: if there is no checkpoint, or their shapes differ.

    Example:
        >>> average_weights([[np.array([1.0, 3.0])], [np.array([3.0, 5.0])]])
        [array([2., 4.])]

    Source: Vaswani et al. 2017, section 6.1 (the last 5 checkpoints for base, 20 for
    big).
    """
    first = None
    count = 0
    for weights in checkpoints:
        arrays = [np.asarray(weight) for weight in weights]
        if first is None:
            first = [(array.shape, array.dtype) for array in arrays]
            sums = [np.zeros(array.shape, "float64") for array in arrays]
        shapes = [shape for shape, _ in first]
        found = [array.shape for array in arrays]
        if found != shapes:
            raise ValueError(
                "checkpoints must hold arrays of the same shapes; "
                f"received {found} after {shapes}"
            )
        for total, array in zip(sums, arrays):
            total += array.astype("float64")
        count += 1
    if not count:
        raise ValueError(
            "checkpoints must hold at least one list of weights; received none"
        )
    return [(total / count).astype(dtype) for total, (_, dtype) in zip(sums, first)]
