"""One pass over memory where a backend would compute operation by operation."""

import functools

import keras
from keras import ops


@functools.cache
def in_one_pass(function):
    """The function of tensors; XLA fuses its operations under TensorFlow on processors.

    A graph of TensorFlow reads and writes memory in each operation. XLA computes matrix
    products slower than TensorFlow's oneDNN, so a function should have none. On GPUs
    the graph stays what it is: some that TensorFlow runs on have no XLA.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    if tf.config.get_visible_devices("GPU"):
        return function
    return tf.function(function, jit_compile=True, autograph=False)


def replaced_in_rows(x, places, values):
    """x `(N, V)` with a value `(N, 1)` at a place `(N, 1)` of each row.

    PyTorch writes into x, which nobody else may read. The others fuse a choice between
    x and the values with what x is made of.
    """
    if keras.backend.backend() == "torch":
        return x.scatter_(1, places.long(), values)
    is_place = ops.equal(ops.arange(x.shape[1], dtype="int32"), places)
    return ops.where(is_place, values, x)
