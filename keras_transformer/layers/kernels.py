"""The fastest way to attention on each backend."""

import keras
from keras import ops

from .products import platform

# Up to so many all scores at once are faster than a kernel that never holds them.
FEW_KEYS = 256


def flash_attention():
    """Whether a backend's flash attention is wanted: None leaves it to the backend.

    Asking for it raises on a CPU. On a TPU Keras 3.15 takes no mask for a causal one,
    and the mask of the first row for that of all.
    """
    if keras.backend.backend() == "jax":
        (first, *_) = keras.distribution.list_devices()
        if first.startswith("tpu"):
            return False
    return None


def has_fast_kernel(query_BTNH, keys):
    """Whether a backend has an attention that is faster than plain products.

    Under TensorFlow Keras makes it of einsums, which are slower. PyTorch's on a
    processor is slower for few keys, and its gradient in half precision ten times. In
    float16 it gives there anything where nothing may be attended to; JAX has none.
    """
    backend = keras.backend.backend()
    is_float16 = keras.backend.standardize_dtype(query_BTNH.dtype) == "float16"
    if backend == "torch" and query_BTNH.device.type == "cpu":
        return keys > FEW_KEYS and not is_float16
    if backend == "jax" and is_float16:
        return platform() != "cpu"
    return backend != "tensorflow"


def shared_matmul(x_BNTK, y_BGKM):
    """The product, where each of y's G heads serves N / G consecutive heads of x."""
    heads = x_BNTK.shape[1]
    groups = y_BGKM.shape[1]
    if heads == groups:
        return ops.matmul(x_BNTK, y_BGKM)
    length = ops.shape(x_BNTK)[2]
    rows = (heads // groups) * length
    x_BGRK = ops.reshape(x_BNTK, (-1, groups, rows, ops.shape(x_BNTK)[3]))
    product_BGRM = ops.matmul(x_BGRK, y_BGKM)
    width = ops.shape(product_BGRM)[3]
    return ops.reshape(product_BGRM, (-1, heads, length, width))
