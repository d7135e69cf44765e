"""The position-wise feed-forward network."""

from typing import get_args

import keras

from ..config import Activation, expect_sizes, one_of
from .dense import Dense
from .transformer_layer import TransformerLayer


@keras.saving.register_keras_serializable("keras_transformer")
class FeedForward(TransformerLayer):
    """Two dense layers, applied to each position: `FFN(x) = act(x W1 + b1) W2 + b2`.

    Gated: `FFN(x) = (act(x Wg + bg) * (x W1 + b1)) W2 + b2`.

    Args:
        d_ff: width between the two layers.
        activation: `"relu"` (the paper), `"gelu"` (with erf), `"gelu_tanh"` (its
            approximation) or `"silu"`.
        gated: whether a third dense layer says how much of each unit passes.
        use_bias: whether there are b1, b2 and bg.

    Shapes:
        `(B, T, D) -> (B, T, D)`; `W1 (D, d_ff)`, `W2 (d_ff, D)`.

    Raises:
        ValueError: if the activation is unknown or d_ff is below 1.

    Examples:
        >>> tuple(FeedForward(7)(np.ones((2, 3, 5))).shape)
        (2, 3, 5)

    Source: Vaswani et al. 2017, section 3.3; gated: Shazeer 2020.
    """

    def __init__(self, d_ff, activation="relu", gated=False, use_bias=True, **kwargs):
        super().__init__(**kwargs)
        expect_sizes(d_ff=d_ff)
        one_of("activation", activation, get_args(Activation))
        self.keep(locals())

    def build(self, x_shape):
        activation = activation_of(self.activation)
        self.gate = None
        if self.gated:
            self.gate = self._dense("gate", self.d_ff, x_shape, activation)
            activation = None
        self.expand = self._dense("expand", self.d_ff, x_shape, activation)
        wide_shape = (*x_shape[:-1], self.d_ff)
        self.contract = self._dense("contract", x_shape[-1], wide_shape)

    def _dense(self, name, units, input_shape, activation=None):
        layer = self.make(Dense, units, activation, use_bias=self.use_bias, name=name)
        layer.build(input_shape)
        return layer

    def call(self, x):
        wide = self.expand(x)
        if self.gate is not None:
            # A part may compute in another type.
            wide = keras.ops.multiply(self.gate(x), wide)
        return self.contract(wide)


@keras.saving.register_keras_serializable("keras_transformer")
def gelu_tanh(x):
    """GELU by tanh: `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`."""
    return keras.ops.gelu(x, approximate=True)


def activation_of(name):
    """The activation of a name, as a Keras layer takes it."""
    return gelu_tanh if name == "gelu_tanh" else name
