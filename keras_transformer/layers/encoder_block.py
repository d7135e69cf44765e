"""One block of the encoder."""

import keras

from keras_transformer.layers.feed_forward import FeedForward
from keras_transformer.layers.multi_head_attention import MultiHeadAttention


@keras.saving.register_keras_serializable("keras_transformer")
class EncoderBlock(keras.layers.Layer):
    """Self-attention, then the feed-forward network, each within a residual connection and a layer norm.

        post-norm (the paper):  x <- LayerNorm(x + Dropout(Sublayer(x)))
        pre-norm:               x <- x + Dropout(Sublayer(LayerNorm(x)))

    Args:
        heads, key_dim, value_dim: as in `MultiHeadAttention`.
        d_ff: width inside the feed-forward network.
        dropout: rate on each sub-layer's output.
        attention_dropout: rate on the attention weights.
        activation: as in `FeedForward`.
        norm_first: whether the layer norm comes before each sub-layer. A stack of pre-norm blocks needs one more norm at its
            end: `Encoder` adds it.
        attention_bias: biases in the attention projections.
        layer_norm_epsilon: epsilon of the layer norms.

    Call arguments:
        x: `(B, S, D)`.
        attention_mask: boolean, True where attention is allowed, broadcastable to `(B,
            S, S)`.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(B, S, D)`; with return_attention_scores a pair of it and the weights `(B, N, S, S)`.

    Raises:
        ValueError: if norm is unknown.

    Example:
        >>> tuple(EncoderBlock(num_heads=2, key_dim=4, d_ff=16)(np.ones((1, 3, 8))).shape)
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
        attention_bias=False,
        layer_norm_epsilon=1e-6,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads, self.key_dim, self.value_dim, self.d_ff = (
            num_heads,
            key_dim,
            value_dim,
            d_ff,
        )
        self.dropout, self.attention_dropout, self.activation = (
            dropout,
            attention_dropout,
            activation,
        )
        self.norm_first, self.attention_bias, self.layer_norm_epsilon = (
            norm_first,
            attention_bias,
            layer_norm_epsilon,
        )

    def build(self, x_shape):
        self.self_attention = self._attention("self_attention")
        self.self_attention.build(x_shape)
        self.self_attention_norm = self._layer_norm("self_attention_norm", x_shape)
        self._build_feed_forward(x_shape)

    def _build_feed_forward(self, x_shape):
        self.feed_forward = FeedForward(
            self.d_ff, self.activation, dtype=self.dtype_policy, name="feed_forward"
        )
        self.feed_forward.build(x_shape)
        self.feed_forward_norm = self._layer_norm("feed_forward_norm", x_shape)
        self.residual_dropout = keras.layers.Dropout(
            self.dropout, dtype=self.dtype_policy, name="residual_dropout"
        )

    def _attention(self, name):
        sizes = (
            self.num_heads,
            self.key_dim,
            self.value_dim,
            self.attention_dropout,
            self.attention_bias,
        )
        return MultiHeadAttention(*sizes, dtype=self.dtype_policy, name=name)

    def _layer_norm(self, name, shape):
        layer = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )
        layer.build(shape)
        return layer

    def _residual(self, x, sublayer, layer_norm, training):
        """One sub-layer within its residual connection; what the sub-layer returns beside its output is passed on."""
        output, *others = sublayer(layer_norm(x) if self.norm_first else x)
        x = x + self.residual_dropout(output, training=training)
        return (x if self.norm_first else layer_norm(x)), *others

    def call(
        self, x, attention_mask=None, return_attention_scores=False, training=False
    ):
        def attend(x):
            return self.self_attention(
                x,
                attention_mask=attention_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )

        x, _, attention = self._residual(x, attend, self.self_attention_norm, training)
        (x,) = self._residual(
            x, lambda x: (self.feed_forward(x),), self.feed_forward_norm, training
        )
        return (x, attention) if return_attention_scores else x

    def compute_output_spec(
        self, x, attention_mask=None, return_attention_scores=False, training=False
    ):
        output = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        return (
            (output, self.attention_spec(x, x)) if return_attention_scores else output
        )

    def attention_spec(self, queries, keys):
        """The symbolic attention weights `(B, N, T, S)` of queries `(B, T, ...)` and keys `(B, S, ...)`."""
        shape = (queries.shape[0], self.num_heads, queries.shape[1], keys.shape[1])
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        names = (
            "num_heads",
            "key_dim",
            "d_ff",
            "value_dim",
            "dropout",
            "attention_dropout",
            "activation",
            "norm_first",
        )
        names += ("attention_bias", "layer_norm_epsilon")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
