"""The fastest product of two large square matrices, on the backend in use."""

import time

import keras

from keras_transformer.layers.products import contracted


def matrix_peak(dtype, size=2048, tries=8):
    """FLOP/s of the fastest of some products of `(size, size)` matrices."""
    one = keras.ops.cast(keras.random.normal((size, size)), dtype)

    def multiply(x, y):
        return contracted(x, y, (1, 0))

    if keras.backend.backend() == "jax":
        import jax

        multiply = jax.jit(multiply)
    seconds = []
    for _ in range(tries):
        begin = time.perf_counter()
        product = multiply(one, one)
        float(product[0, 0])  # waits for a GPU
        seconds.append(time.perf_counter() - begin)
    return 2 * size**3 / min(seconds)
