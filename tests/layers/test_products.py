import itertools

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import normal, numpy

from keras_transformer.layers import products

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="elsewhere they are the backend's own"
)

WIDTHS = [(5, 7), (7, 5), (6, 6)]


@pytest.fixture(autouse=True)
def units(monkeypatch):
    """A processor that multiplies in bfloat16, as far as our code asks."""
    monkeypatch.setattr(products, "has_units", lambda: True)


def bfloat16(array):
    return ops.cast(array, "bfloat16")


def assert_rounded(found, exact):
    """One rounding to bfloat16, of 8 bits, apart."""
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    np.testing.assert_allclose(numpy(ops.cast(found, "float32")), exact, rtol=2**-7)


def exact(array):
    """The numbers that stay of an array in bfloat16, in float64."""
    return numpy(ops.cast(bfloat16(array), "float32")).astype("float64")


# In one test each: of the variants of a test JAX runs the first.
def test_outputs_and_slopes():
    for (width, size), has_bias in itertools.product(WIDTHS, (True, False)):
        check_outputs_and_slopes(width, size, has_bias)


def check_outputs_and_slopes(width, size, has_bias):
    import jax

    x = normal(64, width)
    kernel = normal(width, size)
    slope = normal(64, size)
    # Far from zero, where sums cancel and one rounding is much of them.
    x, kernel, slope = (np.abs(array) + 0.5 for array in (x, kernel, slope))
    bias = np.full(size, 64.0) if has_bias else None
    given = [bfloat16(array) for array in (x, kernel)]
    given.append(bfloat16(bias) if has_bias else None)
    outputs, pull_back = jax.vjp(products.affine, *given)
    x = exact(x)
    kernel = exact(kernel)
    assert_rounded(outputs, x @ kernel + (64.0 if has_bias else 0.0))
    by_x, by_kernel, by_bias = pull_back(bfloat16(slope))
    slope = exact(slope)
    assert_rounded(by_x, slope @ kernel.T)
    assert_rounded(by_kernel, x.T @ slope)
    assert (by_bias is None) != has_bias
    if has_bias:
        assert_rounded(by_bias, slope.sum(axis=0))


def test_sums_over_either_axis():
    for axes, sizes in itertools.product(itertools.product((0, 1), (0, 1)), WIDTHS):
        check_sums(axes, *sizes)


def check_sums(axes, rows, columns):
    x = np.abs(normal(*((64, rows) if axes[0] == 0 else (rows, 64)))) + 0.5
    y = np.abs(normal(*((64, columns) if axes[1] == 0 else (columns, 64)))) + 0.5
    found = products.contracted(bfloat16(x), bfloat16(y), axes)
    assert_rounded(found, np.tensordot(exact(x), exact(y), axes=axes))


def test_the_program_multiplies_in_bfloat16():
    import jax

    def step(*given):
        outputs, pull_back = jax.vjp(products.affine, *given)
        return pull_back(outputs)

    given = [bfloat16(normal(*shape)) for shape in ((64, 32), (32, 48), (48,))]
    program = jax.jit(step).lower(*given).as_text()
    products_of = [line for line in program.splitlines() if "dot_general" in line]
    assert len(products_of) == 3
    assert all(line.count("bf16") == 2 and "f32" in line for line in products_of)


def test_float32_and_chips_are_left_to_the_backend(monkeypatch):
    x = normal(4, 5)
    kernel = normal(5, 7)
    given = [ops.convert_to_tensor(array) for array in (x, kernel)]
    assert not products.asks_for_float32(*given)
    halves = [bfloat16(array) for array in given]
    assert products.asks_for_float32(*halves)
    monkeypatch.setattr(products, "platform", lambda: "tpu")
    assert not products.asks_for_float32(*halves)


def test_the_platform_is_that_of_a_distribution():
    assert products.platform() == "cpu"
    devices = np.array(keras.distribution.list_devices("cpu"))
    mesh = keras.distribution.DeviceMesh(devices.shape, ["batch"], devices)
    with keras.distribution.DataParallel(device_mesh=mesh).scope():
        assert products.platform() == "cpu"
    mesh = keras.distribution.DeviceMesh((1,), ["batch"], ["tpu:0"])
    with keras.distribution.DataParallel(device_mesh=mesh).scope():
        assert products.platform() == "tpu"
