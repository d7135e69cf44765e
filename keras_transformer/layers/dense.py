"""The dense layer as Keras has it, faster on JAX and PyTorch."""

import keras

from .products import affine
from .transformer_layer import own_policy


@keras.saving.register_keras_serializable("keras_transformer")
class Dense(keras.layers.Dense):
    """Keras's `Dense`, `y = act(x W + b)`, by the products of `products.py`.

    Args:
        **kwargs: those of `keras.layers.Dense`.

    Call arguments:
        inputs: `(..., D)`.

    Returns:
        y, `(..., units)`.

    Examples:
        >>> tuple(Dense(7)(np.ones((2, 3, 5))).shape)
        (2, 3, 7)
    """

    def call(self, inputs, training=None):
        if keras.backend.backend() == "tensorflow":
            return super().call(inputs, training)
        outputs = affine(inputs, self.kernel, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def save_own_variables(self, store):
        policy = self._dtype_policy
        # Of a layer that was loaded Keras would ask the policy of the whole model.
        self._dtype_policy = own_policy(self)
        if self.lora_enabled and self.quantization_mode is None:
            # Keras would store the sum of LoRA in the type that the layer computes in.
            self._dtype_policy = keras.dtype_policies.get("float32")
        try:
            super().save_own_variables(store)
        finally:
            self._dtype_policy = policy

    def quantize(self, mode=None, type_check=True, config=None):
        # Keras quantizes no subclass of its own, which may compute something else.
        return super().quantize(mode, type_check=False, config=config)
