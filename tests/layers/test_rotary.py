import math

import numpy as np
import pytest
from layer_checks import ON_TORCH, marked, normal, numpy

from keras_transformer.layers.rotary import rates, rotate

LLAMA = dict(
    rope_type="llama3",
    rope_theta=500000.0,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)


def test_by_hand():
    np.testing.assert_allclose(rates(4, base=100.0), [1.0, 0.1])
    x = np.zeros((1, 2, 1, 4), "float32")
    x[..., 0] = 1.0
    x[..., 3] = 1.0
    turned = numpy(rotate(x, np.array([[0, 2]]), rates(4, base=100.0)))
    expected = [math.cos(2), -math.sin(0.2), math.sin(2), math.cos(0.2)]
    np.testing.assert_allclose(turned[0, :, 0], [x[0, 0, 0], expected], atol=1e-6)


def test_only_the_distance_counts():
    query = normal(1, 1, 2, 6)
    key = normal(1, 1, 2, 6, seed=1)

    def product(t, s):
        turned = rotate(query, np.array([[t]]), rates(6))
        other = rotate(key, np.array([[s]]), rates(6))
        return (numpy(turned) * numpy(other)).sum(-1)

    np.testing.assert_allclose(product(7, 3), product(104, 100), atol=1e-5)
    assert np.abs(product(7, 3) - product(8, 3)).max() > 0.01


@marked(ON_TORCH)
def test_llama_3s_scaling_is_that_of_transformers():
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = transformers.LlamaConfig(
        hidden_size=128,
        num_attention_heads=2,
        head_dim=64,
        max_position_embeddings=512,
        rope_parameters=LLAMA,
    )
    expected, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    found = rates(64, 500000.0, factor=8.0, length=64)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-6)


def test_half_precision_keeps_far_positions_apart():
    x = np.ones((1, 2, 1, 4), "float16")
    positions = np.array([[4097, 4098]])
    turned = rotate(x, positions, rates(4))
    expected = numpy(rotate(x.astype("float32"), positions, rates(4)))
    np.testing.assert_allclose(numpy(turned), expected, atol=1e-3)
