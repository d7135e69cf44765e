"""Which way to attention is the fastest on a backend."""

import keras
from keras import ops

from .products import platform

# Up to so many all scores at once are faster than a kernel that never holds them.
FEW_KEYS = 256
# PyTorch multiplies up to so many vectors faster where the matrix comes first.
FEW_VECTORS = 64


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


def put(cache_RGLH, new_RGTH, index):
    """The cache, with new positions from `index` on.

    PyTorch copies it faster than it chooses. Elsewhere the choice becomes one pass with
    what reorders the rows before it, and every export can express it.
    """
    length = new_RGTH.shape[2]
    if keras.backend.backend() == "torch":
        place_T = ops.cast(ops.arange(length) + index, "int64")
        return cache_RGLH.index_copy(2, place_T, new_RGTH)
    place_L = ops.arange(ops.shape(cache_RGLH)[2]) - index
    here_L1 = ops.expand_dims(ops.logical_and(place_L >= 0, place_L < length), 1)
    if length > 1:
        rows_L = ops.clip(place_L, 0, length - 1)
        new_RGTH = ops.take(new_RGTH, rows_L, axis=2)
    return ops.where(here_L1, new_RGTH, cache_RGLH)


def are_few_vectors(x_BTD):
    """Whether a product of these with rows of a matrix is `matrix_first`'s work."""
    if keras.backend.backend() != "torch" or not ops.is_tensor(x_BTD):
        return False
    rows, length, _ = x_BTD.shape
    is_float32 = keras.backend.standardize_dtype(x_BTD.dtype) == "float32"
    is_few = rows * length <= FEW_VECTORS
    return is_float32 and is_few and x_BTD.device.type == "cpu"


def matrix_first(x_BTD, matrix_VD):
    """The product of each vector with each row of a matrix, `(B, T, V)`."""
    rows, length, width = x_BTD.shape
    x_DN = ops.transpose(ops.reshape(x_BTD, (-1, width)))
    product_NV = ops.transpose(ops.matmul(matrix_VD, x_DN))
    return ops.reshape(product_NV, (rows, length, matrix_VD.shape[0]))


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
