import numpy as np
import pytest

from keras_transformer.data.buckets import bucket_edges, cut, rows_per_bucket


def test_edges_by_hand():
    assert bucket_edges(32) == (4, 8, 12, 16, 20, 24, 28, 32)
    assert bucket_edges(64) == (*bucket_edges(32), 40, 56, 64)
    assert bucket_edges(1) == (1,)


@pytest.mark.parametrize("longest", [2, 4, 5, 31, 33, 53, 100, 128, 1000])
def test_edges_rise_and_end_at_the_longest(longest):
    edges = bucket_edges(longest)
    assert edges[-1] == longest
    assert (np.diff(edges) > 0).all()
    assert len(bucket_edges(1000)) < 25  # few shapes: JAX compiles each


def test_rows_keep_to_the_budget():
    assert [rows_per_bucket(edge, 4096) for edge in (4, 12, 128, 4097)] == [
        1024,
        336,
        32,
        1,
    ]
    assert rows_per_bucket(20, 100) == 5


def test_what_does_not_fill_a_batch_goes_up():
    widths = np.array([4, 3, 4, 8, 7, 20])
    batches = [
        (edge, rows.tolist())
        for edge, rows in cut(np.arange(6), widths, bucket_edges(20), 16)
    ]
    # 4 rows of 4, 2 of 8, 1 of 20; no batch of 12 or 16, which have no sentences of
    # their own
    assert batches == [(8, [0, 1]), (8, [2, 3]), (20, [4]), (20, [5])]


def test_each_example_once_and_only_the_last_batch_short():
    random = np.random.default_rng(3)
    widths = random.integers(2, 61, 997)
    edges = bucket_edges(int(widths.max()))
    shapes = set()
    for _ in range(3):
        batches = cut(random.permutation(997), widths, edges, 300)
        assert sorted(np.concatenate([rows for _, rows in batches])) == list(range(997))
        assert all(widths[rows].max() <= edge for edge, rows in batches)
        assert all(
            len(rows) == rows_per_bucket(edge, 300) for edge, rows in batches[:-1]
        )
        shapes.add(tuple(edge for edge, _ in batches))
    # The number of batches of each width does not depend on the order.
    assert len(shapes) == 1
