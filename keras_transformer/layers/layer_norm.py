"""The norms as Keras has them: faster in training on TensorFlow, or with a mask."""

import keras
from keras import ops

from .one_pass import in_one_pass


@keras.saving.register_keras_serializable("keras_transformer")
class LayerNorm(keras.layers.LayerNormalization):
    """Keras's `LayerNormalization`, in training one pass over memory under TensorFlow.

        y = gamma (x - mean(x)) / sqrt(var(x) + epsilon) + beta

    Translation does without: an export may run where there is no XLA.

    Args:
        **kwargs: those of `keras.layers.LayerNormalization`.

    Call arguments:
        inputs: `(..., D)`.

    Returns:
        y, of the same shape.

    Examples:
        >>> LayerNorm()(np.ones((2, 3, 5))).shape == (2, 3, 5)
        True

    Source: Ba et al. 2016.
    """

    def call(self, inputs, training=False):
        if not training:
            return super().call(inputs)
        outputs = in_one_pass(ops.layer_normalization)(
            inputs,
            as_float32(self.gamma),
            as_float32(self.beta),
            axis=tuple(self.axis),
            epsilon=self.epsilon,
            rms_scaling=self.rms_scaling,
        )
        return ops.cast(outputs, self.compute_dtype)


@keras.saving.register_keras_serializable("keras_transformer")
class RMSNorm(keras.layers.RMSNormalization):
    """Keras's `RMSNormalization`, which hands an implicit mask on as other norms do.

        y = scale x / sqrt(mean(x^2) + epsilon)

    Args:
        **kwargs: those of `keras.layers.RMSNormalization`.

    Call arguments:
        x: `(..., D)`.

    Returns:
        y, of the same shape.

    Examples:
        >>> RMSNorm()(np.ones((2, 3, 5))).shape == (2, 3, 5)
        True

    Source: Zhang and Sennrich 2019.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True


def as_float32(weight):
    """A weight in float32; None if there is no weight."""
    return None if weight is None else ops.cast(weight, "float32")
