import math

import keras
import numpy as np
import pytest
from layer_checks import check_layer, normal, numpy

from keras_transformer.layers.feed_forward import FeedForward


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "silu"])
def test_exam(activation):
    check_layer(
        lambda **options: FeedForward(11, activation, **options), normal(2, 3, 5)
    )


def test_by_hand():
    layer = FeedForward(3)
    x = np.array([[[1.0, 2.0]]])
    layer(x)
    layer.expand.set_weights(
        [np.array([[1.0, -1.0, 0.0], [1.0, 1.0, -1.0]]), np.array([0.0, 0.0, 1.0])]
    )
    layer.contract.set_weights(
        [np.array([[1.0, 0.0], [2.0, 1.0], [5.0, 5.0]]), np.array([0.5, -0.5])]
    )
    # x W1 + b1 = [3, 1, -1]; relu gives [3, 1, 0]; times W2 [5, 1]; plus b2
    np.testing.assert_allclose(numpy(layer(x)), [[[5.5, 0.5]]], atol=1e-6)


@pytest.mark.parametrize(
    "activation, expected",
    [
        ("relu", 0.0),
        ("gelu", -0.5 * (1 + math.erf(-(0.5**0.5)))),
        ("gelu_tanh", -0.5 * (1 - math.tanh((2 / math.pi) ** 0.5 * 1.044715))),
        ("silu", -1 / (1 + math.e)),
    ],
)
def test_activation_at_minus_one(activation, expected):
    layer = FeedForward(1, activation)
    layer(np.zeros((1, 1, 1)))
    layer.set_weights([np.ones((1, 1)), np.zeros(1), np.ones((1, 1)), np.zeros(1)])
    np.testing.assert_allclose(
        numpy(layer(np.full((1, 1, 1), -1.0)))[0, 0, 0], expected, atol=1e-6
    )


def test_gated_by_hand():
    layer = FeedForward(2, gated=True, use_bias=False)
    x = np.array([[[1.0, 2.0]]])
    layer(x)
    layer.gate.set_weights([np.array([[1.0, -1.0], [1.0, 0.0]])])
    layer.expand.set_weights([np.array([[2.0, 1.0], [0.5, 1.0]])])
    layer.contract.set_weights([np.array([[1.0, -1.0], [7.0, 7.0]])])
    # relu(x Wg) = [3, 0]; x W1 = [3, 3]; their product [9, 0]
    np.testing.assert_allclose(numpy(layer(x)), [[[9.0, -9.0]]], atol=1e-6)


def test_every_position_alone():
    layer = FeedForward(11)
    x = normal(2, 3, 5)
    np.testing.assert_allclose(
        numpy(layer(x))[:, 1:2], numpy(layer(x[:, 1:2])), atol=1e-6
    )


def test_errors():
    message = r"activation must be one of relu, .*; received 'tanh'"
    with pytest.raises(ValueError, match=message):
        FeedForward(11, "tanh")
    with pytest.raises(ValueError, match="d_ff must be at least 1; received 0"):
        FeedForward(0)
    with pytest.raises(ValueError, match="d_ff must be an integer .*; received None"):
        FeedForward(None)


@pytest.mark.every_backend
def test_parts_that_compute_in_other_types():
    policy = keras.dtype_policies.DTypePolicyMap("mixed_bfloat16")
    policy[".*expand"] = "float32"
    x = normal(2, 3, 5)
    for gated in (False, True):
        layer = FeedForward(11, gated=gated, dtype=policy)
        usual = FeedForward(11, gated=gated)
        usual.build(x.shape)
        found = layer(x)
        usual.set_weights(layer.get_weights())
        np.testing.assert_allclose(numpy(found), numpy(usual(x)), atol=0.05)
