"""The residual connection around a sub-layer."""

import keras

from ..config import expect_share, one_of
from .dropout import Dropout
from .layer_norm import LayerNorm, RMSNorm
from .transformer_layer import TransformerLayer

NORMS = {
    "layer": LayerNorm,
    "rms": RMSNorm,
}


@keras.saving.register_keras_serializable("keras_transformer")
class Residual(TransformerLayer):
    """A residual connection with its layer norm, around a sub-layer f.

        post-norm (the paper):  y = LayerNorm(x + Dropout(f(x)))
        pre-norm:               y = x + Dropout(f(LayerNorm(x)))

    Args:
        dropout: rate on the sub-layer's output.
        norm_first: whether the layer norm comes before the sub-layer (pre-norm).
        layer_norm_epsilon: epsilon of the layer norm.
        norm_kind: `"layer"`, or `"rms"`: `g x / sqrt(mean(x^2) + epsilon)`.

    Call arguments:
        x: `(B, T, D)`.
        update: `f(connection.prepare(x))`, `(B, T, D)`.

    Returns:
        y, `(B, T, D)`.

    Examples:
        >>> connection, feed_forward = Residual(), FeedForward(7)
        >>> x = np.ones((2, 3, 5))
        >>> connection.build(x.shape)
        >>> y = connection(x, feed_forward(connection.prepare(x)))

    Source: Vaswani et al. 2017, section 3.1; pre-norm: Wang et al. 2019; RMS norm:
    Zhang and Sennrich 2019.
    """

    def __init__(
        self,
        dropout=0.1,
        norm_first=False,
        layer_norm_epsilon=1e-6,
        norm_kind="layer",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.keep(locals())
        expect_share("dropout", dropout)
        expect_share("layer_norm_epsilon", layer_norm_epsilon)
        one_of("norm_kind", norm_kind, NORMS)

    def build(self, x_shape, update_shape=None):
        epsilon = self.layer_norm_epsilon
        self.norm = self.make(NORMS[self.norm_kind], epsilon=epsilon, name="norm")
        self.norm.build(x_shape)
        self.drop = self.make(Dropout, self.dropout, name="drop")

    def prepare(self, x):
        """The input of the sub-layer."""
        return self.norm(x) if self.norm_first else x

    def call(self, x, update, training=False):
        # A part may compute in another type.
        x = keras.ops.add(x, self.drop(update, training=training))
        return x if self.norm_first else self.norm(x)

    def around(self, sub_layer, x, training=False):
        """y of a sub-layer, and its second output; None if it has one output."""
        output = sub_layer(self.prepare(x))
        update, other = output if isinstance(output, tuple) else (output, None)
        return self(x, update, training=training), other
