import numpy as np
import pytest
from layer_checks import ON_TORCH, marked, numpy

from keras_transformer.layers.relative_bias import RelativeBias

FIRST = np.arange(300)


def buckets(layer, queries, keys):
    """The bucket of each pair of positions: the table's rows are their own numbers."""
    layer(queries[None], keys[None])
    rows = np.arange(layer.num_buckets, dtype="float32")
    layer.table.assign(np.repeat(rows[:, None], layer.num_heads, axis=1))
    return numpy(layer(queries[None], keys[None]))[0, 0].astype(int)


def test_by_hand():
    # 8 buckets: 0 and 1 for one distance each, 2 for 2 and 3, 3 from 4 on; later keys 4
    # more
    both = buckets(RelativeBias(2, num_buckets=8, max_distance=8), FIRST[:1], FIRST[:6])
    np.testing.assert_array_equal(both, [[0, 5, 6, 6, 7, 7]])
    layer = RelativeBias(2, num_buckets=8, max_distance=16, bidirectional=False)
    before = buckets(layer, np.array([17]), np.array([17, 16, 14, 13, 12, 9, 5, 1, 20]))
    np.testing.assert_array_equal(before, [[0, 1, 3, 4, 4, 6, 7, 7, 0]])


@marked(ON_TORCH)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("number, distance", [(32, 128), (8, 20), (16, 9)])
def test_buckets_are_those_of_transformers(number, distance, bidirectional):
    torch = pytest.importorskip("torch")
    t5 = pytest.importorskip("transformers.models.t5.modeling_t5")
    positions = torch.arange(300)
    relative = positions[None] - positions[:, None]
    expected = t5.T5Attention._relative_position_bucket(
        relative, bidirectional, number, distance
    )
    layer = RelativeBias(1, number, distance, bidirectional)
    np.testing.assert_array_equal(buckets(layer, FIRST, FIRST), expected.numpy())


def test_errors():
    with pytest.raises(ValueError, match="num_heads must be at least 1; received 0"):
        RelativeBias(0)
    with pytest.raises(ValueError, match="num_buckets must be a multiple of 4"):
        RelativeBias(2, num_buckets=6)
    with pytest.raises(ValueError, match="max_distance must be above .* = 16"):
        RelativeBias(2, max_distance=16)
