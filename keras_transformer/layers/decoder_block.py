"""One block of the decoder."""

import functools

import keras

from ..config import expect
from .encoder_block import EncoderBlock


@keras.saving.register_keras_serializable("keras_transformer")
class DecoderBlock(EncoderBlock):
    """An `EncoderBlock` that sees no later position, and attends to a memory as well.

    Attention to the memory stands between the two sub-layers. A block that is first
    called without a memory has none, as in a language model.

    Args:
        as in `EncoderBlock`.

    Call arguments:
        x: `(B, T, D)` target positions.
        memory: `(B, S, D)` output of the encoder, or None.
        attention_mask, position_bias: what the target positions may see of each other,
            and its scores' bias, as in `MultiHeadAttention`.
        cross_attention_mask: what they may see of the memory, likewise.
        use_causal_mask: whether no position sees a later one, whatever the mask says.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(B, T, D)`; with return_attention_scores a pair of it and the weights of the
        two attentions, `(B, N, T, T)` and `(B, N, T, S)`, or () without a memory.

    Raises:
        ValueError: as the layers inside.

    Examples:
        >>> block = DecoderBlock(num_heads=2, key_dim=4, d_ff=16)
        >>> tuple(block(np.ones((1, 3, 8)), np.ones((1, 5, 8))).shape)
        (1, 3, 8)

    Source: Vaswani et al. 2017, section 3.1.
    """

    def build(self, x_shape, memory_shape=None):
        super().build(x_shape)
        self.cross_attention = None
        if memory_shape is None:
            return
        self.cross_attention = self._attention("cross_attention")
        self.cross_attention.build(x_shape, memory_shape)
        self.cross_attention_residual = self._residual(
            "cross_attention_residual", x_shape
        )

    def call(
        self,
        x,
        memory=None,
        attention_mask=None,
        cross_attention_mask=None,
        position_bias=None,
        use_causal_mask=True,
        return_attention_scores=False,
        training=False,
    ):
        attend = functools.partial(
            self.self_attention,
            attention_mask=attention_mask,
            position_bias=position_bias,
            use_causal_mask=use_causal_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )

        def attend_to_memory(x):
            return self.cross_attention(
                x,
                memory,
                attention_mask=cross_attention_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )

        shape = None if memory is None else tuple(memory.shape)
        is_right = (shape is None) == (self.cross_attention is None)
        what = "be given, or not, as when the block was built"
        expect(is_right, "memory", what, shape)
        x, *scores = self._forward(x, attend, attend_to_memory, training)
        return (x, tuple(scores)) if return_attention_scores else x

    def step(
        self,
        x,
        cache,
        index,
        cross_cache=(),
        attention_mask=None,
        cross_attention_mask=None,
        position_bias=None,
    ):
        """The output for T new positions: `call` with caches.

        Args:
            x: `(R, T, D)` the new positions.
            cache: the keys and values of the self-attention.
            index: the position of the first of x.
            cross_cache: those of the memory, `cross_attention.project(memory)`.
            attention_mask, cross_attention_mask, position_bias: as
                `MultiHeadAttention.step` takes them. An implicit Keras mask of the
                memory is not in its cache: cross_attention_mask says the same.

        Returns:
            `(output (R, T, D), cache)`.
        """
        attend = functools.partial(
            self.self_attention.step,
            cache=cache,
            index=index,
            attention_mask=attention_mask,
            position_bias=position_bias,
        )

        def attend_to_memory(x):
            return self.cross_attention.step(
                x, cross_cache, attention_mask=cross_attention_mask
            )

        x, cache, _ = self._forward(x, attend, attend_to_memory)
        return x, cache

    def _forward(self, x, attend, attend_to_memory, training=False):
        """The sub-layers; what an attention gives beside its output follows x."""
        x, first = self.self_attention_residual.around(attend, x, training)
        second = ()
        if self.cross_attention is not None:
            residual = self.cross_attention_residual
            x, second = residual.around(attend_to_memory, x, training)
        x, _ = self.feed_forward_residual.around(self.feed_forward, x, training)
        return x, first, second
