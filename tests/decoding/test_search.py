import numpy as np
import pytest
from keras import ops

from keras_transformer.decoding.search import top_k


@pytest.mark.parametrize("vocabulary", [7, 67, 96, 1200])  # the first two have no groups
def test_top_k_by_groups_is_top_k(vocabulary):
    logits = np.random.default_rng(0).permuted(np.tile(np.arange(vocabulary, dtype="float32"), (5, 1)), axis=1)
    values, ids = (ops.convert_to_numpy(x) for x in top_k(ops.convert_to_tensor(logits), 6))
    expected = np.argsort(-logits, axis=1)[:, :6]
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(logits, expected, axis=1))
    assert ids.dtype == np.int32
