"""One pass over memory where a backend would compute operation by operation."""

import functools

import keras


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
