"""A function of arrays, compiled as the backend does it: the only code of the search that knows backends."""

import keras
from keras import ops


def compiled(function, model):
    """`function(*arrays) -> tensors` that reads the variables of `model`, from NumPy to NumPy.

    JAX compiles once for each set of shapes, TensorFlow traces once for each but the
    number of rows, torch runs as it is. The variables may change between calls. An
    argument may be None.
    """
    wrap = {"jax": _for_jax, "tensorflow": _for_tensorflow, "torch": _for_torch}[
        keras.backend.backend()
    ]
    call = wrap(function, model)

    def run(*arrays):
        return tuple(ops.convert_to_numpy(output) for output in call(*arrays))

    return run


def _for_jax(function, model):
    import jax

    # As arguments: captured, they would become constants of every compiled shape.
    def pure(values, *arrays):
        with keras.StatelessScope(
            state_mapping=list(zip(model.variables, values, strict=True))
        ):
            return function(*arrays)

    jitted = jax.jit(pure)
    return lambda *arrays: jitted(
        [variable.value for variable in model.variables], *arrays
    )


def _for_tensorflow(function, model):
    import tensorflow as tf

    traces = {}

    def call(*arrays):
        given = [array for array in arrays if array is not None]
        key = tuple(
            None if array is None else (array.shape[1:], array.dtype)
            for array in arrays
        )
        if key not in traces:
            signature = [
                tf.TensorSpec((None, *array.shape[1:]), tf.as_dtype(array.dtype))
                for array in given
            ]
            places = [array is not None for array in arrays]

            def fill(*tensors):
                tensors = iter(tensors)
                return function(*(next(tensors) if place else None for place in places))

            traces[key] = tf.function(fill, input_signature=signature, autograph=False)
        return traces[key](*given)

    return call


def _for_torch(function, model):
    import torch

    def call(*arrays):
        with torch.inference_mode():
            return function(
                *(
                    None if array is None else ops.convert_to_tensor(array)
                    for array in arrays
                )
            )

    return call
