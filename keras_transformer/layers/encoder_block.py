"""One block of the encoder."""

import functools

import keras

from ..config import one_of
from .feed_forward import FeedForward
from .multi_head_attention import MultiHeadAttention
from .residual import NORMS, Residual
from .transformer_layer import TransformerLayer


@keras.saving.register_keras_serializable("keras_transformer")
class EncoderBlock(TransformerLayer):
    """Self-attention, then the feed-forward network, each within a residual connection.

    Args:
        num_heads, key_dim, value_dim, use_bias: as in `MultiHeadAttention`.
        num_key_value_heads: likewise, in each attention.
        rotary, window: likewise, in self-attention.
        d_ff, activation, gated: as in `FeedForward`.
        feed_forward_bias: its `use_bias`.
        dropout, norm_first, layer_norm_epsilon: as in `Residual`. A stack of pre-norm
            blocks needs one more norm at its end: `Encoder` adds it.
        norm: kind of norm, `"layer"` or `"rms"`.
        attention_dropout: rate on the attention weights.

    Call arguments:
        x: `(B, S, D)`. An implicit Keras mask of it is honoured and passed on.
        attention_mask, position_bias: as in `MultiHeadAttention`.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(B, S, D)`; with return_attention_scores a pair of it and the weights
        `(B, N, S, S)`.

    Raises:
        ValueError: as the layers inside.

    Examples:
        >>> block = EncoderBlock(num_heads=2, key_dim=4, d_ff=16)
        >>> tuple(block(np.ones((1, 3, 8))).shape)
        (1, 3, 8)

    Source: Vaswani et al. 2017, section 3.1.
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        d_ff,
        value_dim=None,
        dropout=0.1,
        attention_dropout=0.0,
        activation="relu",
        norm_first=False,
        use_bias=False,
        layer_norm_epsilon=1e-6,
        norm="layer",
        gated=False,
        feed_forward_bias=True,
        num_key_value_heads=None,
        rotary=None,
        window=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.keep(locals())
        one_of("norm", norm, NORMS)

    def build(self, x_shape):
        self.self_attention = self._attention(
            "self_attention", rotary=self.rotary, window=self.window
        )
        self.self_attention.build(x_shape)
        self.self_attention_residual = self._residual(
            "self_attention_residual", x_shape
        )
        self.feed_forward = self.make(
            FeedForward,
            self.d_ff,
            self.activation,
            self.gated,
            self.feed_forward_bias,
            name="feed_forward",
        )
        self.feed_forward.build(x_shape)
        self.feed_forward_residual = self._residual("feed_forward_residual", x_shape)

    def _attention(self, name, **options):
        return self.make(
            MultiHeadAttention,
            self.num_heads,
            self.key_dim,
            self.value_dim,
            self.attention_dropout,
            self.use_bias,
            self.num_key_value_heads,
            name=name,
            **options,
        )

    def _residual(self, name, shape):
        connection = self.make(
            Residual,
            self.dropout,
            self.norm_first,
            self.layer_norm_epsilon,
            self.norm,
            name=name,
        )
        connection.build(shape)
        return connection

    def call(
        self,
        x,
        attention_mask=None,
        position_bias=None,
        return_attention_scores=False,
        training=False,
    ):
        attend = functools.partial(
            self.self_attention,
            attention_mask=attention_mask,
            position_bias=position_bias,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        x, scores = self.self_attention_residual.around(attend, x, training)
        x, _ = self.feed_forward_residual.around(self.feed_forward, x, training)
        return (x, scores) if return_attention_scores else x
