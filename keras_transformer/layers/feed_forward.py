"""The position-wise feed-forward network."""

from typing import get_args

import keras

from ..config import (
    Activation,
    expect,
    one_of,
)
from .transformer_layer import TransformerLayer


@keras.saving.register_keras_serializable("keras_transformer")
class FeedForward(TransformerLayer):
    """Two dense layers, applied to each position: `FFN(x) = act(x W1 + b1) W2 + b2`.

    Args:
        d_ff: width between the two layers.
        activation: `"relu"` (the paper), `"gelu"` (with erf) or `"silu"`.

    Shapes:
        `(B, T, D) -> (B, T, D)`; `W1 (D, d_ff)`, `W2 (d_ff, D)`.

    Raises:
        ValueError: if the activation is unknown or d_ff is below 1.

    Examples:
        >>> tuple(FeedForward(7)(np.ones((2, 3, 5))).shape)
        (2, 3, 5)

    Source: Vaswani et al. 2017, section 3.3.
    """

    def __init__(self, d_ff, activation="relu", **kwargs):
        super().__init__(**kwargs)
        expect(d_ff >= 1, "d_ff", "be at least 1", d_ff)
        self.d_ff = d_ff
        self.activation = one_of("activation", activation, get_args(Activation))

    def build(self, x_shape):
        dense = keras.layers.Dense
        self.expand = self.make(dense, self.d_ff, self.activation, name="expand")
        self.contract = self.make(dense, x_shape[-1], name="contract")
        self.expand.build(x_shape)
        self.contract.build((*x_shape[:-1], self.d_ff))

    def call(self, x):
        return self.contract(self.expand(x))
