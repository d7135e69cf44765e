"""One block of the decoder."""

import keras

from keras_transformer.layers.encoder_block import EncoderBlock


@keras.saving.register_keras_serializable("keras_transformer")
class DecoderBlock(EncoderBlock):
    """An `EncoderBlock` that, between its two sub-layers, attends to the encoder's output as well.

    Args:
        as in `EncoderBlock`.

    Call arguments:
        x: `(R, T, D)` target positions.
        memory: `(B, S, D)` output of the encoder; R a multiple of B, as in
            `MultiHeadAttention`.
        attention_mask: boolean `(R, T, T)` or broadcastable to it: what the target
            positions may see of each other.
        source_mask: boolean `(B, 1, S)`: the real positions of memory.
        cache: `()`, or `(self_cache, cross_cache)`, each a pair of keys and values as
            in `MultiHeadAttention`.
        index: position that is written into the self-attention's cache.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(x (R, T, D), cache)`; the cache is `()` if none came in. With
        return_attention_scores, without a cache, also a pair of the weights `(R, N, T, T)` and
        `(R, N, T, S)` of the two attentions.

    Example:
        >>> x, cache = DecoderBlock(num_heads=2, key_dim=4, d_ff=16)(np.ones((1, 3, 8)), np.ones((1, 5, 8)))
        >>> tuple(x.shape), cache
        ((1, 3, 8), ())

    Source: Vaswani et al. 2017, section 3.1.
    """

    def build(self, x_shape, memory_shape):
        super().build(x_shape)
        self.cross_attention = self._attention("cross_attention")
        self.cross_attention.build(x_shape, memory_shape)
        self.cross_attention_norm = self._layer_norm("cross_attention_norm", x_shape)

    def call(
        self,
        x,
        memory,
        attention_mask=None,
        source_mask=None,
        cache=(),
        index=0,
        return_attention_scores=False,
        training=False,
    ):
        self_cache, cross_cache = cache or ((), ())
        how = dict(return_attention_scores=return_attention_scores, training=training)

        def attend_to_self(x):
            return self.self_attention(
                x, attention_mask=attention_mask, cache=self_cache, index=index, **how
            )

        def attend_to_memory(x):
            return self.cross_attention(
                x, memory, attention_mask=source_mask, cache=cross_cache, **how
            )

        x, self_cache, to_self = self._residual(
            x, attend_to_self, self.self_attention_norm, training
        )
        x, cross_cache, to_memory = self._residual(
            x, attend_to_memory, self.cross_attention_norm, training
        )
        (x,) = self._residual(
            x, lambda x: (self.feed_forward(x),), self.feed_forward_norm, training
        )
        cache = (self_cache, cross_cache) if cache else ()
        return (
            (x, cache, (to_self, to_memory)) if return_attention_scores else (x, cache)
        )

    def compute_output_spec(
        self,
        x,
        memory,
        attention_mask=None,
        source_mask=None,
        cache=(),
        index=0,
        return_attention_scores=False,
        training=False,
    ):
        output = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output, cache
        return (
            output,
            cache,
            (self.attention_spec(x, x), self.attention_spec(x, memory)),
        )
