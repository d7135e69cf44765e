"""Multi-head attention: self, cross and cached."""

import keras
from keras import ops

from ..config import expect
from .masks import (
    causal_mask,
    full_mask,
    implicit_mask,
)
from .transformer_layer import TransformerLayer

# Finite, so that a row with nothing to attend to gives the mean of its values, not NaN.
MASKED_SCORE = -1e9


@keras.saving.register_keras_serializable("keras_transformer")
class MultiHeadAttention(TransformerLayer):
    """Every query gathers values from where its keys fit, in several subspaces at once.

        Attention(Q, K, V) = softmax(Q K^T / sqrt(key_dim)) V
        head_n             = Attention(x Wq_n, m Wk_n, m Wv_n)    m = memory, or x
        output             = Concat(head_1, ..., head_N) Wo

    Args:
        num_heads: number of heads N (the paper's h).
        key_dim: size of one head's queries and keys (d_k).
        value_dim: size of one head's values (d_v); `key_dim` when absent.
        dropout: rate on the attention weights, 0 in the paper. Above 0 the weights are
            computed one by one in training; at 0 the backend's fused attention does the
            work, unless `value_dim` is not `key_dim` or the scores are asked for.
        use_bias: biases in the four projections; the paper's have none.

    Call arguments:
        x: `(B, T, D)` queries, and keys and values too unless there is a memory.
        memory: `(B, S, M)` what is attended to (cross-attention).
        attention_mask: boolean, True where attention is allowed: `(T, S)`, `(B, T, S)`
            or `(B, N, T, S)`, each axis of that size or 1. Positions that an implicit
            Keras mask of x, or of memory, leaves out are not attended to either.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(B, T, D)`; with return_attention_scores a pair of it and the weights
        `(B, N, T, S)`.

    Raises:
        ValueError: if a size is below 1, there is no position, or a mask does not fit.

    Examples:
        >>> tuple(MultiHeadAttention(num_heads=2, key_dim=4)(np.ones((1, 3, 8))).shape)
        (1, 3, 8)

    Source: Vaswani et al. 2017, section 3.2.
    """

    def __init__(
        self, num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=False, **kwargs
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = key_dim if value_dim is None else value_dim
        self.dropout = dropout
        self.use_bias = use_bias
        for name in ("num_heads", "key_dim", "value_dim"):
            size = getattr(self, name)
            expect(size >= 1, name, "be at least 1", size)

    def build(self, x_shape, memory_shape=None):
        source_shape = memory_shape or x_shape
        keys = self.num_heads * self.key_dim
        values = self.num_heads * self.value_dim
        self.query = self._projection("query", keys, x_shape)
        self.key = self._projection("key", keys, source_shape)
        self.value = self._projection("value", values, source_shape)
        heads_shape = (*x_shape[:-1], values)
        self.output_projection = self._projection("output", x_shape[-1], heads_shape)
        self.drop = self.make(keras.layers.Dropout, self.dropout, name="drop")

    def _projection(self, name, units, input_shape):
        # All heads are in one matrix: Glorot's initial scale is meant for that, not for
        # a kernel of three axes.
        dense = keras.layers.Dense
        layer = self.make(dense, units, use_bias=self.use_bias, name=name)
        layer.build(input_shape)
        return layer

    def call(
        self,
        x,
        memory=None,
        attention_mask=None,
        return_attention_scores=False,
        training=False,
    ):
        source = x if memory is None else memory
        query_BTNH = self._by_head(self.query(x))
        key_BSNH = self._by_head(self.key(source))
        value_BSNH = self._by_head(self.value(source))
        mask = self._mask(attention_mask, query_BTNH, key_BSNH.shape[1])
        seen_BS = implicit_mask(source)
        if seen_BS is not None:
            seen = ops.cast(ops.expand_dims(seen_BS, axis=(1, 2)), "bool")
            mask = seen if mask is None else ops.logical_and(mask, seen)
        is_dropping = self.dropout > 0 and training
        is_fused = self.key_dim == self.value_dim and not is_dropping
        if is_fused and not return_attention_scores:
            # `flash_attention` is left to the backend: asking for it raises on a CPU.
            values = ops.dot_product_attention(
                query_BTNH, key_BSNH, value_BSNH, mask=mask
            )
            return self._joined(values, x)
        key_BNSH = ops.swapaxes(key_BSNH, 1, 2)
        value_BNSH = ops.swapaxes(value_BSNH, 1, 2)
        values, scores = self._attend(query_BTNH, key_BNSH, value_BNSH, mask, training)
        output = self._joined(values, x)
        return (output, scores) if return_attention_scores else output

    def step(self, x, cache, index=None, attention_mask=None):
        """The output for T new positions, with the keys and values of a cache.

        With an index (self-attention) the keys and values of x are written into the
        cache first, and each position attends to itself and to what is before it.
        N steps give what one call with a causal mask gives, whatever their T are.

        Without an index (cross-attention) the cache is what `project(memory)` gave, and
        is read as it is.

        Args:
            x: `(R, T, D)`. In cross-attention R may be a multiple of the cache's B:
                R / B consecutive rows (hypotheses of one sentence) share one row.
            cache: keys `(B, N, S, key_dim)` and values `(B, N, S, value_dim)`.
            index: the position of the first of x, an integer or a scalar tensor.
            attention_mask: as for a call; the causal mask of the cache when absent.

        Returns:
            `(output (R, T, D), cache)`.
        """
        query_RTNH = self._by_head(self.query(x))
        if index is None:
            rows = ops.shape(cache[0])[0]
            heads = (self.num_heads, self.key_dim)
            query_RTNH = ops.reshape(query_RTNH, (rows, -1, *heads))
        else:
            cache = write(cache, self.project(x), index)
            if attention_mask is None:
                new = ops.arange(x.shape[1]) + index
                attention_mask = causal_mask(new, ops.shape(cache[0])[2])
        mask = self._mask(attention_mask, query_RTNH, cache[0].shape[2])
        values, _ = self._attend(query_RTNH, *cache, mask)
        return self._joined(values, x), cache

    def project(self, memory):
        """The keys and values of a memory `(B, S, M)` as a cache: `(B, N, S, H)` each.

        Heads come before positions: otherwise every step of a search would transpose
        all that it has cached.
        """
        key_BSNH = self._by_head(self.key(memory))
        value_BSNH = self._by_head(self.value(memory))
        return ops.swapaxes(key_BSNH, 1, 2), ops.swapaxes(value_BSNH, 1, 2)

    def empty_cache(self, rows, length):
        """A cache of zeros for `length` positions of each of `rows` rows."""
        shape = (rows, self.num_heads, length)
        keys = ops.zeros((*shape, self.key_dim), dtype=self.compute_dtype)
        values = ops.zeros((*shape, self.value_dim), dtype=self.compute_dtype)
        return keys, values

    def _attend(self, query_BTNH, key_BNSH, value_BNSH, mask, training=False):
        """The gathered values `(B, T, N, H)` and the weights `(B, N, T, S)`."""
        query_BNTH = ops.swapaxes(query_BTNH * self.key_dim**-0.5, 1, 2)
        # Plain products of matrices: XLA gives an einsum a layout that its fast kernels
        # do not take.
        scores_BNTS = ops.matmul(query_BNTH, ops.swapaxes(key_BNSH, 2, 3))
        scores_BNTS = ops.cast(scores_BNTS, "float32")
        if mask is not None:
            scores_BNTS = ops.where(mask, scores_BNTS, MASKED_SCORE)
        weights_BNTS = ops.cast(ops.softmax(scores_BNTS, axis=-1), self.compute_dtype)
        dropped_BNTS = self.drop(weights_BNTS, training=training)
        values_BTNH = ops.swapaxes(ops.matmul(dropped_BNTS, value_BNSH), 1, 2)
        return values_BTNH, weights_BNTS

    def _mask(self, attention_mask, query_BTNH, keys):
        if attention_mask is None:
            return None
        rows, queries = query_BTNH.shape[:2]
        return full_mask(attention_mask, (rows, self.num_heads, queries, keys))

    def _by_head(self, x):
        """Cuts `(B, T, N H)` into heads `(B, T, N, H)`."""
        shape = tuple(x.shape)
        expect(shape[1] != 0, "x and memory", "hold at least one position", shape)
        heads = (self.num_heads, x.shape[2] // self.num_heads)
        return ops.reshape(x, (-1, ops.shape(x)[1], *heads))

    def _joined(self, values, x):
        """The output `(B, T, D)` of the heads' values, whose rows are those of x."""
        width = self.num_heads * self.value_dim
        return self.output_projection(ops.reshape(values, (-1, ops.shape(x)[1], width)))


def write(cache, new, index):
    """Puts the keys and values of T new positions into a cache, from `index` on.

    By `where` and not by a slice update: every export can express it.
    """
    length = new[0].shape[2]
    place_L = ops.arange(ops.shape(cache[0])[2]) - index
    here_L1 = ops.expand_dims(ops.logical_and(place_L >= 0, place_L < length), 1)
    if length > 1:
        rows_L = ops.clip(place_L, 0, length - 1)
        new = tuple(ops.take(fresh, rows_L, axis=2) for fresh in new)
    return tuple(ops.where(here_L1, fresh, old) for fresh, old in zip(new, cache))
