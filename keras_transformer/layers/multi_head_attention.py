"""Multi-head attention: self, cross and cached."""

import functools

import keras
from keras import ops

from ..config import expect, expect_share, expect_sizes
from .cache import write
from .dense import Dense
from .dropout import Dropout
from .kernels import flash_attention, has_fast_kernel, shared_matmul
from .masks import (
    both,
    causal_mask,
    check_broadcasts,
    full_mask,
    implicit_key_mask,
    positions_of,
)
from .rotary import rates, rotate
from .transformer_layer import TransformerLayer
from .window import attend_in_blocks, order_mask, window_mask

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
            work where it is fast, unless `value_dim` is not `key_dim` or the scores are
            asked for.
        use_bias: biases in the four projections; the paper's have none.
        num_key_value_heads: number of key and value heads G, each for N / G consecutive
            heads of queries; N when absent.
        rotary: `(base,)` or `(base, factor, length)` of rotary positions, as in
            `rotary.rates`; none when absent. In self-attention only.
        window: how many positions are seen on one side, the own one included; all of
            them when absent. In self-attention only. Memory and time then grow with
            T x window, unless the scores are asked for, or queries differ in the mask
            or have a position_bias.

    Call arguments:
        x: `(B, T, D)` queries, and keys and values too unless there is a memory.
        memory: `(B, S, M)` what is attended to (cross-attention).
        attention_mask: boolean, True where attention is allowed: `(T, S)`, `(B, T, S)`
            or `(B, N, T, S)`, each axis of that size or 1. Positions that an implicit
            Keras mask of x, or of memory, leaves out are not attended to either.
        position_bias: `(1, N, T, S)` or `(B, N, T, S)`, added to the scores, such as a
            `RelativeBias` gives.
        use_causal_mask: whether no position sees a later one, whatever the mask says.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(B, T, D)`; with return_attention_scores a pair of it and the weights
        `(B, N, T, S)`.

    Raises:
        ValueError: if a size is below 1, heads do not divide, x or memory has no three
            axes or no position, memory has not as many rows as x, a mask or
            position_bias does not fit, a mask is no mask, an option is no such
            value or is for self-attention only.

    Examples:
        >>> tuple(MultiHeadAttention(num_heads=2, key_dim=4)(np.ones((1, 3, 8))).shape)
        (1, 3, 8)

    Source: Vaswani et al. 2017, section 3.2; fewer key heads: Ainslie et al. 2023.
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=False,
        num_key_value_heads=None,
        rotary=None,
        window=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.keep(locals())
        self.value_dim = key_dim if value_dim is None else value_dim
        if num_key_value_heads is None:
            self.num_key_value_heads = num_heads
        groups = self.num_key_value_heads
        expect_sizes(num_heads=num_heads, key_dim=key_dim)
        expect_sizes(value_dim=self.value_dim, num_key_value_heads=groups)
        expect_share("dropout", dropout)
        what = f"divide num_heads={num_heads}"
        expect(num_heads % groups == 0, "num_key_value_heads", what, groups)
        if window is not None:
            expect_sizes(window=window)
        if rotary is not None:
            is_right = isinstance(rotary, (tuple, list)) and len(rotary) in (1, 3)
            what = "be a tuple (base,) or (base, factor, length)"
            expect(is_right, "rotary", what, rotary)
            expect(key_dim % 2 == 0, "key_dim", "be an even number", key_dim)
            self.rates = rates(key_dim, *rotary)

    def build(self, x_shape, memory_shape=None):
        source_shape = memory_shape or x_shape
        check_sequence("x", x_shape)
        check_sequence("memory", source_shape)
        self._check_memory(memory_shape)
        queries = self.num_heads * self.key_dim
        keys = self.num_key_value_heads * self.key_dim
        values = self.num_key_value_heads * self.value_dim
        self.query = self._projection("query", queries, x_shape)
        self.key = self._projection("key", keys, source_shape)
        self.value = self._projection("value", values, source_shape)
        heads_shape = (*x_shape[:-1], self.num_heads * self.value_dim)
        self.output_projection = self._projection("output", x_shape[-1], heads_shape)
        self.drop = self.make(Dropout, self.dropout, name="drop")

    def _projection(self, name, units, input_shape):
        # All heads are in one matrix: Glorot's initial scale is meant for that, not for
        # a kernel of three axes.
        layer = self.make(Dense, units, use_bias=self.use_bias, name=name)
        layer.build(input_shape)
        return layer

    def _check_memory(self, shape):
        """Raise a `ValueError` for a memory where attention goes by positions."""
        knows_order = self.rotary is not None or self.window is not None
        what = "be absent with rotary or window"
        expect(shape is None or not knows_order, "memory", what, shape)

    def call(
        self,
        x,
        memory=None,
        attention_mask=None,
        position_bias=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=False,
    ):
        source = x
        if memory is not None:
            self._check_memory(tuple(memory.shape))
            check_rows(x.shape[0], memory.shape[0])
            source = memory
        query_BTNH = self._by_head(self.query, x, self.key_dim)
        key_BSGH = self._by_head(self.key, source, self.key_dim)
        value_BSGH = self._by_head(self.value, source, self.value_dim)
        if self.rotary is not None:
            positions = positions_of(x[:1, :, 0])
            query_BTNH = rotate(query_BTNH, positions, self.rates)
            key_BSGH = rotate(key_BSGH, positions, self.rates)
        mask = self._full_mask(attention_mask, query_BTNH, key_BSGH.shape[1])
        mask = both(mask, implicit_key_mask(source))
        is_by_key = mask is None or tuple(mask.shape[1:3]) == (1, 1)
        if position_bias is not None:
            position_bias = ops.convert_to_tensor(position_bias)
            self._check_bias(position_bias.shape, x, key_BSGH.shape[1])
        needs_all = return_attention_scores or position_bias is not None
        window = self._cutting_window(x.shape[1])
        if window is not None and is_by_key and not needs_all:
            attend = functools.partial(self._values, training=training)
            values = attend_in_blocks(
                attend,
                query_BTNH,
                key_BSGH,
                value_BSGH,
                mask,
                window,
                use_causal_mask,
            )
            return self._joined(values, x)
        mask = both(mask, order_mask(x, source, window, use_causal_mask))
        if not return_attention_scores:
            values = self._values(
                query_BTNH, key_BSGH, value_BSGH, mask, position_bias, training
            )
            return self._joined(values, x)
        key_BGSH = ops.swapaxes(key_BSGH, 1, 2)
        value_BGSH = ops.swapaxes(value_BSGH, 1, 2)
        values, scores = self._attend(
            query_BTNH, key_BGSH, value_BGSH, mask, position_bias, training
        )
        return self._joined(values, x), scores

    def _cutting_window(self, length):
        """The window, or None if it leaves out none of so many positions.

        A length of None is unknown, and may be any.
        """
        if self.window is None or length is None or length > self.window:
            return self.window
        return None

    def _values(
        self, query_BTNH, key_BSGH, value_BSGH, mask, bias=None, training=False
    ):
        """The gathered values `(B, T, N, H)`, by a fused attention where it can be."""
        is_dropping = self.dropout > 0 and training
        has_one_size = self.key_dim == self.value_dim
        can_be_fused = has_one_size and not is_dropping and bias is None
        if can_be_fused and has_fast_kernel(query_BTNH, key_BSGH.shape[1]):
            sharing = self.num_heads // self.num_key_value_heads
            if sharing > 1:
                key_BSGH = ops.repeat(key_BSGH, sharing, axis=2)
                value_BSGH = ops.repeat(value_BSGH, sharing, axis=2)
            return ops.dot_product_attention(
                query_BTNH,
                key_BSGH,
                value_BSGH,
                mask=mask,
                flash_attention=flash_attention(),
            )
        key_BGSH = ops.swapaxes(key_BSGH, 1, 2)
        value_BGSH = ops.swapaxes(value_BSGH, 1, 2)
        return self._attend(query_BTNH, key_BGSH, value_BGSH, mask, bias, training)[0]

    def step(self, x, cache, index=None, attention_mask=None, position_bias=None):
        """The output for T new positions, with the keys and values of a cache.

        With an index (self-attention) the keys and values of x are written into the
        cache first, and each position attends to itself and to what is before it.
        N steps give what one call with a causal mask gives, whatever their T are.

        Without an index (cross-attention) the cache is what `project(memory)` gave, and
        is read as it is.

        A cache has no implicit Keras mask: what one leaves out in a call, the
        attention_mask leaves out here.

        Args:
            x: `(R, T, D)`. In cross-attention R may be a multiple of the cache's B:
                R / B consecutive rows (hypotheses of one sentence) share one row.
            cache: keys `(B, N, S, key_dim)` and values `(B, N, S, value_dim)`.
            index: the position of the first of x, an integer or a scalar tensor.
            attention_mask: as for a call; the causal mask of the cache when absent.
            position_bias: `(1, N, T, L)`, as for a call.

        Returns:
            `(output (R, T, D), cache)`.
        """
        query_RTNH = self._by_head(self.query, x, self.key_dim)
        if index is None:
            rows = ops.shape(cache[0])[0]
            shape = (rows, -1, self.num_heads, self.key_dim)
            query_RTNH = ops.reshape(query_RTNH, shape)
        else:
            positions = ops.arange(x.shape[1]) + index
            if self.rotary is not None:
                query_RTNH = rotate(query_RTNH, positions[None], self.rates)
            cache = write(cache, self.project(x, positions), index)
            places = ops.shape(cache[0])[2]
            if attention_mask is None:
                attention_mask = causal_mask(positions, places)
            if self.window is not None:
                near_mask = window_mask(positions, places, self.window)
                attention_mask = both(attention_mask, near_mask)
        mask = self._full_mask(attention_mask, query_RTNH, cache[0].shape[2])
        values, _ = self._attend(query_RTNH, *cache, mask, position_bias)
        return self._joined(values, x), cache

    def project(self, memory, positions=None):
        """The keys and values of a memory `(B, S, M)` as a cache: `(B, G, S, H)` each.

        Heads come before positions: otherwise every step of a search would transpose
        all that it has cached. The positions, `(S,)`, are what rotary keys turn by.
        """
        key_BSGH = self._by_head(self.key, memory, self.key_dim)
        value_BSGH = self._by_head(self.value, memory, self.value_dim)
        if self.rotary is not None:
            key_BSGH = rotate(key_BSGH, positions[None], self.rates)
        return ops.swapaxes(key_BSGH, 1, 2), ops.swapaxes(value_BSGH, 1, 2)

    def empty_cache(self, rows, length):
        """A cache of zeros for `length` positions of each of `rows` rows."""
        shape = (rows, self.num_key_value_heads, length)
        keys = ops.zeros((*shape, self.key_dim), dtype=self.compute_dtype)
        values = ops.zeros((*shape, self.value_dim), dtype=self.compute_dtype)
        return keys, values

    def _attend(
        self, query_BTNH, key_BGSH, value_BGSH, mask, bias=None, training=False
    ):
        """The gathered values `(B, T, N, H)` and the weights `(B, N, T, S)`."""
        query_BNTH = ops.swapaxes(query_BTNH * self.key_dim**-0.5, 1, 2)
        # Plain products of matrices: XLA gives an einsum a layout that its fast kernels
        # do not take.
        scores_BNTS = shared_matmul(query_BNTH, ops.swapaxes(key_BGSH, 2, 3))
        scores_BNTS = ops.cast(scores_BNTS, "float32")
        if bias is not None:
            scores_BNTS = scores_BNTS + ops.cast(bias, "float32")
        if mask is not None:
            scores_BNTS = ops.where(mask, scores_BNTS, MASKED_SCORE)
        weights_BNTS = ops.cast(ops.softmax(scores_BNTS, axis=-1), self.compute_dtype)
        dropped_BNTS = self.drop(weights_BNTS, training=training)
        values_BTNH = ops.swapaxes(shared_matmul(dropped_BNTS, value_BGSH), 1, 2)
        return values_BTNH, weights_BNTS

    def _full_mask(self, attention_mask, query_BTNH, keys):
        """An attention mask with all four axes, for so many keys; None stays None."""
        if attention_mask is None:
            return None
        rows, queries = query_BTNH.shape[:2]
        return full_mask(attention_mask, (rows, self.num_heads, queries, keys))

    def _check_bias(self, shape, x, keys):
        """Raise a `ValueError` unless a bias of this shape fits the scores."""
        sizes = (x.shape[0], self.num_heads, x.shape[1], keys)
        check_broadcasts("position_bias", shape, sizes, shape)

    def _by_head(self, projection, x, size):
        """The projection of x, cut into heads `(B, T, N, H)` of a size H."""
        check_sequence("x and memory", x.shape)
        x = projection(x)
        return ops.reshape(x, (-1, ops.shape(x)[1], x.shape[2] // size, size))

    def _joined(self, values, x):
        """The output `(B, T, D)` of the heads' values, whose rows are those of x."""
        width = self.num_heads * self.value_dim
        return self.output_projection(ops.reshape(values, (-1, ops.shape(x)[1], width)))


def check_sequence(name, shape):
    """Raise a `ValueError` unless this is the shape of positions that have vectors."""
    expect(len(shape) == 3, name, "have three axes (B, T, D)", tuple(shape))
    expect(shape[1] != 0, name, "hold at least one position", tuple(shape))


def check_rows(rows, memory_rows):
    """Raise a `ValueError` unless a memory has a row for each of x; None is unknown.

    PyTorch would give one row of x to each of the memory.
    """
    is_known = rows is not None and memory_rows is not None
    what = f"have as many rows as x, {rows}"
    expect(not is_known or rows == memory_rows, "memory", what, memory_rows)
