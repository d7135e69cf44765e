"""The position-wise feed-forward network."""

import keras

ACTIVATIONS = ("relu", "gelu", "silu")


@keras.saving.register_keras_serializable("keras_transformer")
class FeedForward(keras.layers.Layer):
    """Two dense layers applied to every position alone: `FFN(x) = act(x W1 + b1) W2 + b2`.

    Args:
        hidden_size: width between the two layers (the paper's d_ff).
        activation: `"relu"` (the paper), `"gelu"` (with erf) or `"silu"`.

    Shapes:
        `(B, T, D) -> (B, T, D)`; `W1 (D, hidden_size)`, `W2 (hidden_size, D)`.

    Raises:
        ValueError: if the activation is unknown or hidden_size is below 1.

    Example:
        >>> tuple(FeedForward(7)(np.ones((2, 3, 5))).shape)
        (2, 3, 5)

    Source: Vaswani et al. 2017, section 3.3.
    """

    def __init__(self, hidden_size, activation="relu", **kwargs):
        super().__init__(**kwargs)
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {ACTIVATIONS}; received {activation!r}"
            )
        if hidden_size < 1:
            raise ValueError(
                f"hidden_size must be at least 1; received {hidden_size!r}"
            )
        self.hidden_size = hidden_size
        self.activation = activation

    def build(self, x_shape):
        self.expand = keras.layers.Dense(
            self.hidden_size, self.activation, dtype=self.dtype_policy, name="expand"
        )
        self.contract = keras.layers.Dense(
            x_shape[-1], dtype=self.dtype_policy, name="contract"
        )
        self.expand.build(x_shape)
        self.contract.build((*x_shape[:-1], self.hidden_size))

    def call(self, x):
        return self.contract(self.expand(x))

    def compute_output_shape(self, x_shape):
        return x_shape

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_size": self.hidden_size,
            "activation": self.activation,
        }
