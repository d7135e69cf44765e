"""What all our layers have in common."""

import inspect

import keras
from keras.dtype_policies import DTypePolicyMap


class TransformerLayer(keras.layers.Layer):
    """A Keras layer whose arguments are its attributes, and whose parts are layers.

    A subclass's `__init__` begins with `keep(locals())`, after `super().__init__`: each
    argument is an attribute of the same name, and the configuration is read from there.
    An output has the shape of the first input unless a subclass says another.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    @classmethod
    def argument_names(cls):
        """The names of the arguments of `__init__`."""
        parameters = inspect.signature(cls.__init__).parameters.values()
        own = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        return [name for name in own if name != "self"]

    def keep(self, arguments):
        """Keep each argument of `__init__`, whose `locals()` these are."""
        for name in self.argument_names():
            setattr(self, name, arguments[name])

    def make(self, kind, *arguments, **options):
        """A part of this layer, with its dtype policy."""
        # Under a `RematScope` the whole layer is computed again, not each part of it.
        with keras.RematScope(mode=None):
            return kind(*arguments, **{"dtype": self.dtype_policy, **options})

    def compute_output_shape(self, x_shape, *others):
        return x_shape

    def compute_output_spec(self, *args, **kwargs):
        # The shapes of scores come from a trace of `call`.
        if kwargs.get("return_attention_scores"):
            return super(keras.layers.Layer, self).compute_output_spec(*args, **kwargs)
        return super().compute_output_spec(*args, **kwargs)

    def get_config(self):
        arguments = {name: getattr(self, name) for name in self.argument_names()}
        return {**super().get_config(), "dtype": policy_config(self), **arguments}

    def rematerialized_call(self, layer_call, *args, **kwargs):
        """What Keras calls in place of `call` for a layer made in a `RematScope`.

        Keras computes a plain `call` again as it stands. That fails on JAX, where the
        seed of dropout would leave the function as a side effect; and TensorFlow would
        draw other numbers the second time. So the function that is computed again takes
        the variables, seeds included, and gives back those that have changed.
        """
        # "activations" are those of layers inside. Without a scope, the mode of a layer
        # that was made in `build` holds None.
        mode = self._remat_mode
        if mode is None or mode.mode in (None, "activations"):
            return layer_call
        names = [name for name, x in kwargs.items() if is_float_tensor(x)]
        fixed = {name: x for name, x in kwargs.items() if name not in names}
        count = len(self.variables)
        structure = []

        def pure(*flat):
            mapping = list(zip(self.variables, flat[:count]))
            arguments = flat[count : count + len(args)]
            given = dict(zip(names, flat[count + len(args) :]))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                outputs = layer_call(*arguments, **given, **fixed)
            states = map(scope.get_current_value, self.non_trainable_variables)
            structure[:] = [outputs]
            return *keras.tree.flatten(outputs), *states

        computed_again = super().rematerialized_call(pure, *args, **kwargs)

        def call(*args, **kwargs):
            # Copies, because torch assigns in place what it is still to compute from.
            values = [keras.ops.copy(variable.value) for variable in self.variables]
            tensors = (*args, *(kwargs[name] for name in names))
            results = computed_again(*values, *tensors)
            outputs = len(results) - len(self.non_trainable_variables)
            for variable, state in zip(self.non_trainable_variables, results[outputs:]):
                variable.assign(state)
            return keras.tree.pack_sequence_as(structure[0], results[:outputs])

        return call


def is_float_tensor(x):
    """Whether x is a tensor that gradients flow through."""
    return keras.ops.is_tensor(x) and keras.backend.is_float_dtype(x.dtype)


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
