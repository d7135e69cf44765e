"""A function of arrays, compiled as the backend does it.

This is the only code of the search that knows backends.
"""

import keras
from keras import ops


def compiled(function, model):
    """`function(*arrays) -> tensors` that reads the variables of `model`.

    JAX compiles once for each set of shapes, TensorFlow traces once for each but the
    number of rows, torch runs as it is. The variables may change between calls. An
    argument may be None.

    Returns:
        the function from NumPy to NumPy.
    """
    makers = {"jax": for_jax, "tensorflow": for_tensorflow, "torch": for_torch}
    call = makers[keras.backend.backend()](function, model)

    def run(*arrays):
        return tuple(ops.convert_to_numpy(output) for output in call(*arrays))

    return run


def for_jax(function, model):
    import jax

    # As arguments: captured, they would become constants of every compiled shape.
    @jax.jit
    def pure(values, *arrays):
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(*arrays)

    def call(*arrays):
        return pure([variable.value for variable in model.variables], *arrays)

    return call


def for_tensorflow(function, model):
    import tensorflow as tf

    traces = {}

    def traced(arrays):
        places = [array is not None for array in arrays]

        def fill(*tensors):
            tensors = iter(tensors)
            return function(*(next(tensors) if place else None for place in places))

        signature = [
            tf.TensorSpec((None, *array.shape[1:]), tf.as_dtype(array.dtype))
            for array in arrays
            if array is not None
        ]
        return tf.function(fill, input_signature=signature, autograph=False)

    def call(*arrays):
        key = tuple(None if a is None else (a.shape[1:], a.dtype) for a in arrays)
        if key not in traces:
            traces[key] = traced(arrays)
        return traces[key](*(array for array in arrays if array is not None))

    return call


def for_torch(function, model):
    import torch

    def as_tensor(array):
        return None if array is None else ops.convert_to_tensor(array)

    def call(*arrays):
        with torch.inference_mode():
            return function(*map(as_tensor, arrays))

    return call
