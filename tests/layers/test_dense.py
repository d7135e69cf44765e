import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH, check_layer, gradient, marked, normal, numpy

from keras_transformer.layers.dense import Dense

SHAPES = [(4, 5), (2, 3, 5), (2, 1, 3, 5)]
KERNEL = normal(5, 7, seed=2)
BIAS = normal(7, seed=3)


def made(shape, **options):
    layer = Dense(7, **options)
    layer.build(shape)
    layer.set_weights([KERNEL, BIAS])
    return layer


def test_exam():
    check_layer(lambda **options: Dense(7, **options), normal(2, 3, 5))


@pytest.mark.parametrize("shape", SHAPES)
def test_output_and_slopes_equal_float64(shape):
    x = normal(*shape)
    slope = normal(*shape[:-1], 7, seed=1)
    sums = x.astype("float64") @ KERNEL + BIAS
    layer = made(shape, activation="relu")
    np.testing.assert_allclose(numpy(layer(x)), np.maximum(sums, 0), atol=1e-5)

    def of_inputs(x):
        return ops.sum(layer(x + 0.0) * ops.convert_to_tensor(slope))

    expected = np.where(sums > 0, slope, 0) @ KERNEL.T
    np.testing.assert_allclose(gradient(of_inputs, x), expected, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_learns_the_same_weights_as_keras_own(shape):
    steps = []
    for kind in (Dense, keras.layers.Dense):
        model = keras.Sequential([keras.Input(shape[1:]), kind(7, name="dense")])
        model.layers[0].set_weights([KERNEL, BIAS])
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.train_on_batch(normal(*shape), normal(*shape[:-1], 7, seed=1))
        steps.append(model.get_weights())
    for ours, expected in zip(*steps, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert np.abs(steps[0][0] - KERNEL).max() > 0.001


@marked(ON_TORCH)
def test_int8_is_kerass_own():
    x = normal(2, 3, 5)
    layers = [made(x.shape), keras.layers.Dense(7)]
    layers[1].build(x.shape)
    layers[1].set_weights([KERNEL, BIAS])
    for layer in layers:
        layer.quantize("int8")
    ours, expected = (numpy(layer(x)) for layer in layers)
    np.testing.assert_allclose(ours, expected, atol=1e-6)
    np.testing.assert_allclose(ours, x @ KERNEL + BIAS, atol=0.1)


def test_what_lora_learned_is_saved_in_float32(tmp_path):
    layer = made((2, 5), dtype="mixed_bfloat16")
    layer.enable_lora(2)
    layer.lora_kernel_a.assign(np.full((5, 2), 0.25))
    layer.lora_kernel_b.assign(np.full((2, 7), 0.5))
    inputs = keras.Input((5,))
    keras.Model(inputs, layer(inputs)).save_weights(tmp_path / "lora.weights.h5")
    assert layer.compute_dtype == "bfloat16"
    plain = made((2, 5))
    keras.Model(inputs, plain(inputs)).load_weights(tmp_path / "lora.weights.h5")
    # Two products of 1/4 and 1/2.
    np.testing.assert_allclose(numpy(plain.kernel), KERNEL + 0.25, atol=1e-7)
