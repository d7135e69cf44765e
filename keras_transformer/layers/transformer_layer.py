"""What all our layers have in common."""

import functools
import inspect

import keras
from keras.dtype_policies import DTypePolicyMap


class TransformerLayer(keras.layers.Layer):
    """A Keras layer whose arguments are its attributes, and whose parts are layers.

    Each argument of a subclass's `__init__` is kept as an attribute of the same name:
    the configuration is read from there.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def make(self, kind, *arguments, **options):
        """A part of this layer, with its dtype policy."""
        # Under a `RematScope` the whole layer is computed again, not each part of it.
        with keras.RematScope(mode=None):
            return kind(*arguments, **{"dtype": self.dtype_policy, **options})

    def get_config(self):
        parameters = inspect.signature(type(self).__init__).parameters.values()
        own = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        arguments = {name: getattr(self, name) for name in own if name != "self"}
        return {**super().get_config(), "dtype": policy_config(self), **arguments}

    def rematerialized_call(self, layer_call, *args, **kwargs):
        # JAX would make a traced array of every argument, also of a Python bool.
        fixed = {name: x for name, x in kwargs.items() if not is_tensor_like(x)}
        call = functools.partial(layer_call, **fixed)
        rest = {name: x for name, x in kwargs.items() if name not in fixed}
        computed_again = super().rematerialized_call(call, *args, **rest)

        def call_with_tensors(*args, **kwargs):
            tensors = {name: x for name, x in kwargs.items() if name not in fixed}
            return computed_again(*args, **tensors)

        return call_with_tensors


def is_tensor_like(x):
    """Whether x is a tensor, or a structure of tensors."""
    leaves = keras.tree.flatten(x)
    return bool(leaves) and all(hasattr(leaf, "shape") for leaf in leaves)


def policy_config(layer):
    """The dtype policy of a layer for its configuration.

    It is a `DTypePolicyMap` when parts of the layer are quantized: each part finds its
    own policy in it when the layer is built again.
    """
    quantized = {
        part.path: part.dtype_policy
        for part in layer._flatten_layers(include_self=False)
        if part.quantization_mode is not None
    }
    policy = layer.dtype_policy
    if quantized and not isinstance(policy, DTypePolicyMap):
        policy = DTypePolicyMap(policy.name, quantized)
    return keras.dtype_policies.serialize(policy)
