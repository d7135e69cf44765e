"""One block of the decoder."""

import functools

import keras
from keras import ops

from .encoder_block import EncoderBlock
from .masks import (
    causal_mask,
    full_mask,
    positions_of,
)


@keras.saving.register_keras_serializable("keras_transformer")
class DecoderBlock(EncoderBlock):
    """An `EncoderBlock` that also attends to a memory, between its two sub-layers.

    Args:
        as in `EncoderBlock`.

    Call arguments:
        x: `(B, T, D)` target positions.
        memory: `(B, S, D)` output of the encoder.
        attention_mask: what the target positions may see of each other, as in
            `MultiHeadAttention`.
        cross_attention_mask: what they may see of the memory, likewise.
        use_causal_mask: whether no position sees a later one, whatever the mask says.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(B, T, D)`; with return_attention_scores a pair of it and the weights of the
        two attentions, `(B, N, T, T)` and `(B, N, T, S)`.

    Raises:
        ValueError: as the layers inside.

    Examples:
        >>> block = DecoderBlock(num_heads=2, key_dim=4, d_ff=16)
        >>> tuple(block(np.ones((1, 3, 8)), np.ones((1, 5, 8))).shape)
        (1, 3, 8)

    Source: Vaswani et al. 2017, section 3.1.
    """

    def build(self, x_shape, memory_shape):
        super().build(x_shape)
        self.cross_attention = self._attention("cross_attention")
        self.cross_attention.build(x_shape, memory_shape)
        self.cross_attention_residual = self._residual(
            "cross_attention_residual", x_shape
        )

    def call(
        self,
        x,
        memory,
        attention_mask=None,
        cross_attention_mask=None,
        use_causal_mask=True,
        return_attention_scores=False,
        training=False,
    ):
        if use_causal_mask:
            attention_mask = self._with_causal_mask(attention_mask, x)
        options = dict(
            return_attention_scores=return_attention_scores, training=training
        )
        attend = functools.partial(
            self.self_attention, attention_mask=attention_mask, **options
        )
        attend_to_memory = functools.partial(
            self.cross_attention,
            memory=memory,
            attention_mask=cross_attention_mask,
            **options,
        )
        x, *scores = self._forward(x, attend, attend_to_memory, training)
        return (x, tuple(scores)) if return_attention_scores else x

    def step(
        self,
        x,
        cache,
        index,
        cross_cache,
        attention_mask=None,
        cross_attention_mask=None,
    ):
        """The output for T new positions: `call` with caches.

        Args:
            x: `(R, T, D)` the new positions.
            cache: the keys and values of the self-attention.
            index: the position of the first of x.
            cross_cache: those of the memory, `cross_attention.project(memory)`.
            attention_mask, cross_attention_mask: as `MultiHeadAttention.step` takes
                them.

        Returns:
            `(output (R, T, D), cache)`.
        """
        attend = functools.partial(
            self.self_attention.step,
            cache=cache,
            index=index,
            attention_mask=attention_mask,
        )
        attend_to_memory = functools.partial(
            self.cross_attention.step,
            cache=cross_cache,
            attention_mask=cross_attention_mask,
        )
        x, cache, _ = self._forward(x, attend, attend_to_memory)
        return x, cache

    def _forward(self, x, attend, attend_to_memory, training=False):
        """The three sub-layers; what an attention gives beside its output follows x."""
        x, first = self.self_attention_residual.around(attend, x, training)
        x, second = self.cross_attention_residual.around(attend_to_memory, x, training)
        x, _ = self.feed_forward_residual.around(self.feed_forward, x, training)
        return x, first, second

    def _with_causal_mask(self, attention_mask, x):
        positions_1T = positions_of(x[:1, :, 0])
        causal = causal_mask(positions_1T, positions_1T)
        if attention_mask is None:
            return causal
        rows, length = x.shape[:2]
        mask = full_mask(attention_mask, (rows, self.num_heads, length, length))
        return ops.logical_and(mask, ops.expand_dims(causal, axis=1))
