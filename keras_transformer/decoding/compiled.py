"""A function of tensors, compiled as the backend does it.

This is the only code of the search that knows backends.
"""

import keras


def compiled(function, model):
    """`function(*tensors) -> tensors` that reads the variables of `model`.

    JAX compiles once for each set of shapes, TensorFlow traces once for each but the
    number of rows, torch runs as it is. The variables may change between calls.
    """
    makers = {"jax": for_jax, "tensorflow": for_tensorflow, "torch": for_torch}
    return makers[keras.backend.backend()](function, model)


def for_jax(function, model):
    import jax

    # As arguments: captured, they would become constants of every compiled shape.
    @jax.jit
    def pure(values, *tensors):
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(*tensors)

    def call(*tensors):
        return pure([variable.value for variable in model.variables], *tensors)

    return call


def for_tensorflow(function, model):
    import tensorflow as tf

    traces = {}

    def call(*tensors):
        specs = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in tensors]
        key = tuple(specs)
        if key not in traces:
            options = dict(input_signature=specs, autograph=False)
            traces[key] = tf.function(function, **options)
        return traces[key](*tensors)

    return call


def for_torch(function, model):
    import torch

    return torch.inference_mode()(function)
