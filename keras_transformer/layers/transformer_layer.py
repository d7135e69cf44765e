"""The base class of all our layers."""

import inspect
import re

import keras
from keras.dtype_policies import DTypePolicyMap

# As in `masks`, there is no public way.
from keras.src.backend import get_keras_mask, set_keras_mask

from ..config import expect


class TransformerLayer(keras.layers.Layer):
    """A Keras layer whose arguments are its attributes, and whose parts are layers.

    A subclass's `__init__` begins with `keep(locals())`, after `super().__init__`: each
    argument is an attribute of the same name, and the configuration is read from there.
    The output has the shape of the first input unless a subclass says otherwise.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.argument_names = ()

    def keep(self, arguments):
        """Keep each argument of an `__init__`, whose `locals()` these are.

        They have a `__class__`, the class of that `__init__`, since `super()` is called
        there.
        """
        # Not the class of self: a user's subclass has an `__init__` of its own.
        owner = arguments["__class__"]
        parameters = inspect.signature(owner.__init__).parameters.values()
        kept = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
        names = [p.name for p in kept if p.name != "self"]
        for parameter in kept:
            value = arguments[parameter.name]
            if isinstance(parameter.default, bool):
                is_flag = isinstance(value, bool)
                expect(is_flag, parameter.name, "be a boolean", value)
        for name in names:
            setattr(self, name, arguments[name])
        self.argument_names = (*self.argument_names, *names)

    @property
    def handed_on(self):
        """The options that a part takes from this layer."""
        return {"dtype": self.dtype_policy, "trainable": self.trainable}

    def make(self, kind, *arguments, **options):
        """A part of this layer."""
        # Under a `RematScope` the whole layer is computed again, not each part of it.
        with keras.RematScope(mode=None):
            return kind(*arguments, **{**self.handed_on, **options})

    def compute_output_shape(self, x_shape, *others):
        return x_shape

    def compute_output_spec(self, *args, **kwargs):
        # The shapes of scores come from a trace of `call`.
        if kwargs.get("return_attention_scores"):
            return super(keras.layers.Layer, self).compute_output_spec(*args, **kwargs)
        return super().compute_output_spec(*args, **kwargs)

    def get_config(self):
        arguments = {name: getattr(self, name) for name in self.argument_names}
        return {**super().get_config(), "dtype": policy_config(self), **arguments}

    def rematerialized_call(self, layer_call, *args, **kwargs):
        """The function that Keras calls in place of `call` under a `RematScope`.

        Keras computes a plain `call` again as it stands. That fails on JAX, where the
        seed of dropout would leave the function as a side effect; and TensorFlow would
        draw other numbers the second time. So the function that is computed again takes
        the variables, seeds included, and gives back those that have changed. Its other
        arguments are the float tensors of the call; gradients need no others.
        """
        # "activations" are those of layers inside. Without a scope, the mode of a layer
        # that was made in `build` holds None.
        mode = self._remat_mode
        if mode is None or mode.mode in (None, "activations"):
            return layer_call
        given = {**dict(enumerate(args)), **kwargs}
        names = [name for name, x in given.items() if is_float_tensor(x)]
        tensors = [given[name] for name in names]
        masks = [get_keras_mask(x) for x in tensors]
        count = len(self.variables)
        structure = []

        def pure(*flat):
            mapping = list(zip(self.variables, flat[:count]))
            again = flat[count:]
            # These tensors are new ones, without the implicit masks of those given.
            for x, mask in zip(again, masks):
                set_keras_mask(x, mask)
            arguments = {**given, **dict(zip(names, again))}
            positional = [arguments.pop(place) for place in range(len(args))]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                outputs = layer_call(*positional, **arguments)
            states = map(scope.get_current_value, self.non_trainable_variables)
            structure[:] = [outputs]
            return *keras.tree.flatten(outputs), *states

        computed_again = super().rematerialized_call(pure, *args, **kwargs)

        def call(*args, **kwargs):
            # Copies, because torch assigns in place what it is still to compute from.
            values = [keras.ops.copy(variable.value) for variable in self.variables]
            results = computed_again(*values, *tensors)
            outputs = len(results) - len(self.non_trainable_variables)
            for variable, state in zip(self.non_trainable_variables, results[outputs:]):
                variable.assign(state)
            return keras.tree.pack_sequence_as(structure[0], results[:outputs])

        return call


def is_float_tensor(x):
    """Whether x is a tensor that gradients flow through."""
    return keras.ops.is_tensor(x) and keras.backend.is_float_dtype(x.dtype)


def shared_config(layer):
    """The configuration of a layer that others may have too, or None.

    What is loaded with one id is one layer. Keras puts the id into the first of several
    configurations later, and by then that is a copy.
    """
    if layer is None:
        return None
    config = keras.saving.serialize_keras_object(layer)
    return {**config, "shared_object_id": id(layer)}


def policy_config(layer):
    """The dtype policy of a layer for its configuration.

    It is a `DTypePolicyMap` when parts of the layer are quantized: each part finds its
    own policy in it when the layer is built again, whatever it is then a part of. A
    policy says nothing of quantizers other than its mode's.
    """
    policy = layer.dtype_policy
    parts = layer._flatten_layers(include_self=False)
    quantized = [part for part in parts if part.quantization_mode is not None]
    if quantized and not isinstance(policy, DTypePolicyMap):
        # One pattern for all parts of a policy: each use of a policy looks for one.
        paths_by_policy = {}
        for part in quantized:
            own = own_policy(part)
            given = quantizers_of(part.quantization_config)
            usual = quantizers_of(default_quantization(own))
            must = "have the usual quantizers of its mode, to be saved"
            expect(given in (None, usual), part.path, must, given)
            path = re.escape(path_within(layer, part))
            paths_by_policy.setdefault(own.name, []).append(path)
        policy = DTypePolicyMap(policy.name)
        for name, paths in paths_by_policy.items():
            policy[f"(.*/)?({'|'.join(paths)})"] = name
    return keras.dtype_policies.serialize(policy)


def default_quantization(policy):
    """The configuration that a policy alone gives; None where there is none."""
    mode = policy.quantization_mode
    if mode == "int4":
        return keras.quantizers.Int4QuantizationConfig(block_size=policy.block_size)
    if mode == "int8":
        return keras.quantizers.Int8QuantizationConfig()
    if mode == "float8":
        return keras.quantizers.Float8QuantizationConfig()
    return None


def quantizers_of(config):
    """The settings of both quantizers of a configuration, for a comparison."""
    if config is None:
        return None
    quantizers = (config.weight_quantizer, config.activation_quantizer)
    return [quantizer and quantizer.get_config() for quantizer in quantizers]


def own_policy(layer):
    """The dtype policy of a built layer alone."""
    policy = layer.dtype_policy
    return policy[layer.path] if isinstance(policy, DTypePolicyMap) else policy


def path_within(layer, part):
    """The path of a part of a layer, from the layer's own name on."""
    return part.path.removeprefix(layer.path.removesuffix(layer.name))
