"""Multi-head attention: self, cross and cached, in one call."""

import keras
from keras import ops

# Finite, so that a row with nothing to attend to gives the mean of its values and not
# NaN.
MASKED_SCORE = -1e9


@keras.saving.register_keras_serializable("keras_transformer")
class MultiHeadAttention(keras.layers.Layer):
    """Every query gathers values from where its keys fit, in several subspaces at once.

        Attention(Q, K, V) = softmax(Q K^T / sqrt(key_dim)) V
        head_n             = Attention(x Wq_n, m Wk_n, m Wv_n)       m = memory, or x itself
        output             = Concat(head_1, ..., head_N) Wo

    Args:
        heads: number of heads N (the paper's h).
        key_dim: size of one head's queries and keys (d_k).
        value_dim: size of one head's values (d_v); `key_dim` when absent.
        dropout: rate on the attention weights, 0 in the paper. Above 0 the weights are
            computed one by one in training; at 0 the backend's fused attention does the
            work, unless there is a cache, `value_dim` is not `key_dim`, or the
            weights are asked for.
        use_bias: biases in the four projections; the paper's have none.

    Call arguments:
        x: `(R, T, D)` queries, and keys and values too unless there is a memory.
        memory: `(B, S, M)` what is attended to (cross-attention). R may be a multiple
            of B: the R / B consecutive rows that belong to one row of memory
            (hypotheses of one sentence, each with T = 1) are asked as its queries.
        attention_mask: boolean, True where attention is allowed, broadcastable to `(R,
            T, S)`.
        cache: `()`, or a pair `(keys (R, N, L, key_dim), values (R, N, L,
            value_dim))`. Without a memory, T must be
            1: its key and value are written at `index` and attention is over the cache.
            With a memory, the pair is `project(memory)`, read as it is.
        index: position that is written, an integer or a scalar integer tensor.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(output (R, T, D), cache, attention)`; the cache is `()` if none came in, and
        the attention `(R, N, T, S)`, or `()` when not asked for.

    Raises:
        ValueError: if a size is below 1, or more than one position meets a cache.

    Example:
        >>> output, _, attention = MultiHeadAttention(num_heads=2, key_dim=4)(np.ones((1, 3, 8)), return_attention_scores=True)
        >>> tuple(output.shape), tuple(attention.shape)
        ((1, 3, 8), (1, 2, 3, 3))

    Source: Vaswani et al. 2017, section 3.2.
    """

    def __init__(
        self, num_heads, key_dim, value_dim=None, dropout=0.0, use_bias=False, **kwargs
    ):
        super().__init__(**kwargs)
        value_dim = key_dim if value_dim is None else value_dim
        for name, value in (
            ("num_heads", num_heads),
            ("key_dim", key_dim),
            ("value_dim", value_dim),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1; received {value!r}")
        self.num_heads, self.key_dim, self.value_dim = num_heads, key_dim, value_dim
        self.dropout, self.use_bias = dropout, use_bias

    def build(self, x_shape, memory_shape=None):
        memory_shape = memory_shape or x_shape

        def projection(name, units, input_shape):
            # All heads in one matrix: Glorot's initial scale is meant for that, not for
            # a kernel of three axes.
            layer = keras.layers.Dense(
                units, use_bias=self.use_bias, dtype=self.dtype_policy, name=name
            )
            layer.build(input_shape)
            return layer

        self.query = projection("query", self.num_heads * self.key_dim, x_shape)
        self.key = projection("key", self.num_heads * self.key_dim, memory_shape)
        self.value = projection("value", self.num_heads * self.value_dim, memory_shape)
        self.output_projection = projection(
            "output", x_shape[-1], (*x_shape[:-1], self.num_heads * self.value_dim)
        )
        self.attention_dropout = keras.layers.Dropout(
            self.dropout, dtype=self.dtype_policy, name="dropout"
        )

    def project(self, memory):
        """The keys and values of a memory `(B, S, M)`, as the cache of a cross-attention: `(B, N, S, H)` each."""
        # Heads before positions: otherwise every step of a search would transpose all
        # that it has cached.
        keys_values = self._by_head(self.key(memory)), self._by_head(self.value(memory))
        return tuple(ops.swapaxes(heads, 1, 2) for heads in keys_values)

    def _by_head(self, x):
        """Cuts `(R, T, N H)` into heads `(R, T, N, H)`."""
        return ops.reshape(
            x, (-1, ops.shape(x)[1], self.num_heads, x.shape[2] // self.num_heads)
        )

    def call(
        self,
        x,
        memory=None,
        attention_mask=None,
        cache=(),
        index=0,
        return_attention_scores=False,
        training=False,
    ):
        query_RTNH = self._by_head(self.query(x))
        if not cache:
            source = x if memory is None else memory
            keys_values = (
                self._by_head(self.key(source)),
                self._by_head(self.value(source)),
            )
        elif memory is None:
            keys_values = cache = self._write(cache, self.project(x), index)
        else:
            keys_values = cache
            query_RTNH = self._as_queries_of(cache[0], query_RTNH)
        values_RTNH, attention = self._attend(
            query_RTNH,
            *keys_values,
            bool(cache),
            attention_mask,
            return_attention_scores,
            training,
        )
        if memory is not None and cache and return_attention_scores:
            attention = self._by_rows(attention, x.shape[1])
        values_RTD = ops.reshape(
            values_RTNH, (-1, ops.shape(x)[1], self.num_heads * self.value_dim)
        )
        return self.output_projection(values_RTD), cache, attention

    def _write(self, cache, new, index):
        if new[0].shape[2] != 1:
            raise ValueError(
                f"x must hold one position when there is a cache; received {new[0].shape[2]}"
            )
        here = ops.reshape(
            ops.equal(ops.arange(ops.shape(cache[0])[2]), index), (1, 1, -1, 1)
        )
        return tuple(ops.where(here, fresh, old) for fresh, old in zip(new, cache))

    def _as_queries_of(self, key_BNSH, query_RTNH):
        return ops.reshape(
            query_RTNH, (ops.shape(key_BNSH)[0], -1, self.num_heads, self.key_dim)
        )

    def _by_rows(self, attention_BNQS, length):
        """The attention of queries Q = W T as that of the rows they came from, `(R, N, T, S)`."""
        batch, source = ops.shape(attention_BNQS)[0], attention_BNQS.shape[-1]
        attention_BNWTS = ops.reshape(
            attention_BNQS, (batch, self.num_heads, -1, length, source)
        )
        return ops.reshape(
            ops.swapaxes(attention_BNWTS, 1, 2), (-1, self.num_heads, length, source)
        )

    def _attend(
        self,
        query_RTNH,
        key,
        value,
        heads_first,
        mask_RTS,
        return_attention_scores,
        training,
    ):
        mask_R1TS = None if mask_RTS is None else ops.expand_dims(mask_RTS, axis=1)
        fused = (
            not heads_first
            and self.key_dim == self.value_dim
            and not (self.dropout and training)
        )
        if fused and not return_attention_scores:
            # flash_attention is left to the backend: asking for it raises on a CPU.
            return ops.dot_product_attention(query_RTNH, key, value, mask=mask_R1TS), ()
        key_RNSH, value_RNSH = (
            (key, value)
            if heads_first
            else (ops.swapaxes(key, 1, 2), ops.swapaxes(value, 1, 2))
        )
        query_RNTH = ops.swapaxes(query_RTNH * self.key_dim**-0.5, 1, 2)
        # Plain products of matrices: of an einsum XLA makes a layout that its fast
        # kernels do not take.
        scores_RNTS = ops.cast(
            ops.matmul(query_RNTH, ops.swapaxes(key_RNSH, 2, 3)), "float32"
        )
        if mask_R1TS is not None:
            scores_RNTS = ops.where(mask_R1TS, scores_RNTS, MASKED_SCORE)
        attention_RNTS = ops.cast(ops.softmax(scores_RNTS, axis=-1), self.compute_dtype)
        weights_RNTS = self.attention_dropout(attention_RNTS, training=training)
        values_RTNH = ops.swapaxes(ops.matmul(weights_RNTS, value_RNSH), 1, 2)
        return values_RTNH, attention_RNTS if return_attention_scores else ()

    def compute_output_spec(
        self,
        x,
        memory=None,
        attention_mask=None,
        cache=(),
        index=0,
        return_attention_scores=False,
        training=False,
    ):
        output = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output, cache, ()
        length = x.shape[1] if memory is None else memory.shape[1]
        if memory is None and cache:
            length = cache[0].shape[2]
        return (
            output,
            cache,
            keras.KerasTensor(
                (x.shape[0], self.num_heads, x.shape[1], length),
                dtype=self.compute_dtype,
            ),
        )

    def get_config(self):
        names = ("num_heads", "key_dim", "value_dim", "dropout", "use_bias")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
