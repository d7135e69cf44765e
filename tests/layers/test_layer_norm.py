import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import check_layer, gradient, normal, numpy

from keras_transformer.layers.layer_norm import LayerNorm

X = normal(2, 3, 5)
SLOPE = normal(2, 3, 5, seed=1)  # of what follows, by the output
GAMMA = normal(5, seed=2)
BETA = normal(5, seed=3)


def made(**options):
    layer = LayerNorm(**options)
    layer.build(X.shape)
    layer.set_weights([GAMMA, BETA])
    return layer


def test_exam():
    check_layer(LayerNorm, X)


@pytest.mark.parametrize("training", [True, False])
def test_output_and_slopes_equal_float64(training):
    x = X.astype("float64")
    centred = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3)
    normalized = centred / scale
    found = numpy(made()(X, training=training))
    np.testing.assert_allclose(found, GAMMA * normalized + BETA, atol=1e-5)

    def of_inputs(x):
        y = made()(x + 0.0, training=training)
        return ops.sum(y * ops.convert_to_tensor(SLOPE))

    by_y = SLOPE * GAMMA
    along = (by_y * normalized).mean(-1, keepdims=True) * normalized
    expected = (by_y - by_y.mean(-1, keepdims=True) - along) / scale
    np.testing.assert_allclose(gradient(of_inputs, X), expected, atol=1e-5)


def test_a_step_learns_the_same_weights_as_keras_own():
    steps = []
    for kind in (LayerNorm, keras.layers.LayerNormalization):
        model = keras.Sequential([keras.Input((3, 5)), kind(name="norm")])
        model.layers[0].set_weights([GAMMA, BETA])
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.train_on_batch(X, SLOPE)
        steps.append(model.get_weights())
    for ours, expected in zip(*steps, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)
    assert np.abs(steps[0][0] - GAMMA).max() > 0.01


@pytest.mark.parametrize(
    "options", [dict(axis=(1, 2)), dict(center=False), dict(scale=False)]
)
def test_kerass_options_hold_in_training(options):
    layer = LayerNorm(**options)
    np.testing.assert_allclose(
        numpy(layer(X, training=True)), numpy(layer(X)), atol=1e-6
    )


def test_half_precision_is_computed_in_full():
    half = made(dtype="mixed_bfloat16")(X, training=True)
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    rounded = np.array(
        ops.convert_to_numpy(ops.cast(ops.cast(X, "bfloat16"), "float32"))
    )
    expected = numpy(made()(rounded))
    np.testing.assert_allclose(numpy(ops.cast(half, "float32")), expected, atol=2e-2)
