import numpy as np
from keras import ops

from keras_transformer.decoding import cache


def numbers(*shape):
    return ops.reshape(ops.arange(np.prod(shape), dtype="int32"), shape)


def test_repeat_then_reorder_takes_hypotheses_of_the_right_sentence():
    repeated = cache.repeat({"a": numbers(2, 5), "b": (numbers(2),)}, 3)
    np.testing.assert_array_equal(repeated["b"][0], [0, 0, 0, 1, 1, 1])
    rows = cache.rows(ops.convert_to_tensor([[2, 0, 0], [1, 1, 2]], dtype="int32"), 3)
    np.testing.assert_array_equal(rows, [2, 0, 0, 4, 4, 5])
    reordered = cache.reorder({"x": numbers(6, 2)}, rows)
    np.testing.assert_array_equal(reordered["x"][:, 0], [4, 0, 0, 8, 8, 10])


def test_extend_pads_positions():
    (longer,) = cache.extend((numbers(3, 2, 5),), 7)
    assert longer.shape == (3, 7, 5)
    np.testing.assert_array_equal(longer[:, :2], numbers(3, 2, 5))
    np.testing.assert_array_equal(longer[:, 2:], np.zeros((3, 5, 5)))
