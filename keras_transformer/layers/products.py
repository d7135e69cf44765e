"""Products of matrices, as fast as these can be on processors.

In bfloat16 XLA casts the matrices to float32 there, and takes twice the time, unless
the sums are asked for in float32 and the first matrix is not a transposed one. PyTorch
multiplies in float32 by `onednn.py`, where that is faster.
"""

import functools

import keras
from keras import ops

from . import onednn

# What Linux calls a processor's units that multiply in bfloat16.
UNITS = {"avx512_bf16", "amx_bf16"}
# PyTorch multiplies up to so many vectors faster where the matrix comes first.
FEW_VECTORS = 64


def affine(x, kernel_KM, bias_M=None):
    """`x W + b`, or `x W`, of vectors x `(..., K)`."""
    x = ops.convert_to_tensor(x)
    kernel_KM = ops.convert_to_tensor(kernel_KM)
    if bias_M is not None:
        bias_M = ops.convert_to_tensor(bias_M)
    if keras.backend.backend() == "jax":
        return by_rows(x, kernel_KM, bias_M)
    if onednn.is_faster(x, kernel_KM):
        return onednn.multiplied(x, kernel_KM, bias_M)
    return plus(ops.matmul(x, kernel_KM), bias_M)


def by_rows(x, kernel_KM, bias_M):
    """The same as a product of two matrices: all axes of x but the last are one.

    The gradient of W sums over them. For several such axes XLA copies transposed arrays
    on processors, which takes an eighth of a small model's step.
    """
    *axes, width = ops.shape(x)
    x_NK = ops.reshape(x, (-1, width))
    if asks_for_float32(x_NK, kernel_KM):
        product_NM = affine_on_jax()(x_NK, kernel_KM, bias_M)
    else:
        product_NM = plus(ops.matmul(x_NK, kernel_KM), bias_M)
    return ops.reshape(product_NM, (*axes, kernel_KM.shape[1]))


def plus(x_NM, bias_M):
    """`x + b`, or x where b is None."""
    return x_NM if bias_M is None else ops.add(x_NM, bias_M)


def contracted(x, y, axes):
    """The product of two matrices, summed over one axis of x and one of y: `axes`."""
    x_axis, y_axis = axes
    if not asks_for_float32(x, y):
        x = x if x_axis == 1 else ops.transpose(x)
        y = y if y_axis == 0 else ops.transpose(y)
        return affine(x, y)
    if x_axis == 1:
        return rounded_sums(x, y, axes)
    if x.shape[1] <= y.shape[1]:
        return rounded_sums(turned(x), y, (1, y_axis))[:-1]
    return ops.transpose(rounded_sums(turned(y), x, (1, x_axis))[:-1])


def asks_for_float32(*matrices):
    """Whether the sums of their product must be asked for in float32."""
    dtypes = {keras.backend.standardize_dtype(matrix.dtype) for matrix in matrices}
    if keras.backend.backend() != "jax" or dtypes != {"bfloat16"}:
        return False
    return platform() == "cpu" and has_units()


def platform():
    """The kind of device that JAX compiles for, as JAX names it."""
    import jax

    distribution = keras.distribution.distribution()
    if distribution is None:
        return jax.default_backend()
    first = distribution.device_mesh.devices.flat[0]
    # Keras has names, such as "cpu:0".
    return first.split(":")[0] if isinstance(first, str) else first.platform


@functools.cache
def has_units():
    """Whether this processor multiplies in bfloat16; no where nobody says so."""
    return not UNITS.isdisjoint(onednn.processor())


def rounded_sums(x, y, axes):
    """The sums over one axis of each matrix in float32, rounded to their type."""
    import jax

    dimensions = (tuple((axis,) for axis in axes), ((), ()))
    sums = jax.lax.dot_general(x, y, dimensions, preferred_element_type="float32")
    return ops.cast(sums, x.dtype)


def turned(x_NK):
    """The transpose and a row of ones below, `(K + 1, N)`.

    Without that row XLA would not store the transpose.
    """
    return ops.pad(ops.transpose(x_NK), ((0, 1), (0, 0)), constant_values=1)


@functools.cache
def affine_on_jax():
    """`affine` with a gradient of such products, too; it has no `jax.jvp`."""
    import jax

    def call(x_NK, kernel_KM, bias_M):
        return plus(contracted(x_NK, kernel_KM, (1, 0)), bias_M)

    def call_and_keep(x_NK, kernel_KM, bias_M):
        return call(x_NK, kernel_KM, bias_M), (x_NK, kernel_KM, bias_M is not None)

    def slopes(kept, slope_NM):
        x_NK, kernel_KM, has_bias = kept
        by_x = contracted(slope_NM, kernel_KM, (1, 1))
        if has_bias and x_NK.shape[1] <= slope_NM.shape[1]:
            # The row of ones adds up the slopes.
            sums = rounded_sums(turned(x_NK), slope_NM, (1, 0))
            return by_x, sums[:-1], sums[-1]
        by_kernel = contracted(x_NK, slope_NM, (0, 0))
        by_bias = ops.sum(slope_NM, axis=0) if has_bias else None
        return by_x, by_kernel, by_bias

    function = jax.custom_vjp(call)
    function.defvjp(call_and_keep, slopes)
    return function


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
    product_NV = ops.transpose(affine(matrix_VD, x_DN))
    return ops.reshape(product_NV, (rows, length, matrix_VD.shape[0]))
