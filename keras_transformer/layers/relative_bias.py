"""Relative positions as a bias of attention scores."""

import math

import keras
import numpy as np
from keras import ops

from ..config import check_buckets, expect, expect_sizes
from .transformer_layer import TransformerLayer


@keras.saving.register_keras_serializable("keras_transformer")
class RelativeBias(TransformerLayer):
    """A bias of attention scores by the distance of query and key.

        bias[n, t, s] = table[bucket(s - t), n]

    Half of the buckets are for one distance each; the others cover growing ranges, and
    the last one all from `max_distance` on. One layer serves all blocks of a stack.

    Args:
        num_heads: number of heads N.
        num_buckets: rows of the table.
        max_distance: the distance from which on all share one bucket.
        bidirectional: whether later keys have half of the buckets; in a decoder, which
            sees no later ones, all are for what came before.

    Call arguments:
        queries, keys: their integer positions, `(B, T)` and `(B, S)`; B may be 1.

    Returns:
        `(B, N, T, S)`, to be passed as `position_bias`.

    Raises:
        ValueError: if a size is too small, max_distance is not above the buckets, or
            positions have not two axes.

    Examples:
        >>> positions = np.arange(3)[None]
        >>> tuple(RelativeBias(num_heads=2)(positions, positions).shape)
        (1, 2, 3, 3)

    Source: Raffel et al. 2020 (T5), section 2.1.
    """

    def __init__(
        self, num_heads, num_buckets=32, max_distance=128, bidirectional=True, **kwargs
    ):
        super().__init__(**kwargs)
        self.keep(locals())
        expect_sizes(num_heads=num_heads)
        check_buckets(("num_buckets", "max_distance"), num_buckets, max_distance)

    def build(self, queries_shape, keys_shape):
        for name, shape in (("queries", queries_shape), ("keys", keys_shape)):
            expect(len(shape) == 2, name, "be the positions (B, T)", tuple(shape))
        self.table = self.add_weight(
            (self.num_buckets, self.num_heads),
            initializer=keras.initializers.RandomNormal(stddev=self.num_heads**-0.5),
            name="table",
        )

    def call(self, queries, keys):
        queries_BT1 = ops.expand_dims(queries, axis=2)
        keys_B1S = ops.expand_dims(keys, axis=1)
        distance_BTS = ops.cast(keys_B1S - queries_BT1, "int32")
        bias_BTSN = ops.take(self.table, self._buckets(distance_BTS), axis=0)
        return ops.transpose(bias_BTSN, (0, 3, 1, 2))

    def compute_output_shape(self, queries_shape, keys_shape):
        rows, length = queries_shape
        return (rows, self.num_heads, length, keys_shape[1])

    def _buckets(self, distance):
        """The bucket of each distance `key - query`."""
        if self.bidirectional:
            number = self.num_buckets // 2
            later = ops.cast(distance > 0, "int32") * number
            size = ops.abs(distance)
        else:
            number = self.num_buckets
            later = 0
            size = ops.maximum(-distance, 0)
        nearest = ops.minimum(size, self.max_distance)
        return later + ops.take(bucket_of_size(number, self.max_distance), nearest)


def bucket_of_size(number, max_distance):
    """The bucket of each size of a distance, from 0 to `max_distance`: a table."""
    exact = number // 2
    sizes = np.arange(max_distance + 1)
    # In float32, as where the weights come from: a product just below a whole number
    # is in the bucket below.
    ratio = np.maximum(sizes, 1).astype("float32") / np.float32(exact)
    share = np.log(ratio) / np.float32(math.log(max_distance / exact))
    ranges = exact + (share * np.float32(number - exact)).astype("int32")
    buckets = np.where(sizes < exact, sizes, np.minimum(ranges, number - 1))
    return buckets.astype("int32")
