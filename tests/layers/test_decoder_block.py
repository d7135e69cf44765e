import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import check_layer, normal, numpy, randomise

from keras_transformer.layers.decoder_block import DecoderBlock

B, N, H, V, S, T, F, D = 2, 3, 5, 7, 11, 13, 19, 17
X, MEMORY = normal(B, T, D), normal(B, S, D, seed=1)
CAUSAL = np.tri(T, dtype=bool)[None]
MASK = np.arange(S) < np.array([[[4]], [[9]]])


@pytest.mark.parametrize("norm_first", [False, True])
def test_exam(norm_first):
    sizes = dict(
        num_heads=N, key_dim=H, d_ff=F, value_dim=V, norm_first=norm_first, dropout=0.0
    )
    check_layer(lambda **options: DecoderBlock(**sizes, **options), X, MEMORY)


@pytest.mark.parametrize(
    "norm_first, expected",
    [
        ("post", np.array([1.0, 3.0, -1.0, -3.0]) / 5**0.5),
        ("pre", [3.0, 1.0, 3.0, -1.0]),
    ],
)
def test_by_hand(norm_first, expected):
    block, x = (
        DecoderBlock(1, 2, 3, norm_first=norm_first, attention_bias=True),
        np.array([[[1.0, 1.0, 3.0, 3.0]]]),
    )
    block(x, x)
    for weight in block.weights:
        if "kernel" in weight.name:
            weight.assign(np.zeros(weight.shape))
    block.self_attention.output_projection.bias.assign([2.0, 0.0, -2.0, 0.0])
    block.cross_attention.output_projection.bias.assign([0.0, 0.0, 2.0, -2.0])
    block.feed_forward.contract.bias.assign([0.0, 0.0, 0.0, -2.0])
    if not norm_first:
        block.feed_forward.contract.bias.assign([0.0, 4.0, -2.0, -2.0])
    # post: x + a = [3, 1, 1, 3], norm [1, -1, -1, 1]; + c = [1, -1, 1, -1], norm the
    # same; + f = [1, 3, -1, -3] pre: x + a + c + f
    np.testing.assert_allclose(numpy(block(x, x)[0]), [[expected]], atol=1e-5)


def test_later_positions_have_no_influence():
    block, other = DecoderBlock(N, H, F), X.copy()
    other[:, 5:] += 1.0
    before, after = (numpy(block(x, MEMORY, CAUSAL, MASK)[0]) for x in (X, other))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 5:] - after[:, 5:]).max() > 0.1


@pytest.mark.parametrize("norm_first", [False, True])
def test_cached_steps_equal_the_full_call(norm_first):
    block = DecoderBlock(
        N, H, F, value_dim=V, norm_first=norm_first, attention_bias=True
    )
    block(X, MEMORY)
    randomise(block)
    full, no_cache = block(X, MEMORY, CAUSAL, MASK)
    assert no_cache == ()
    cache = (
        (ops.zeros((B, N, T, H)), ops.zeros((B, N, T, V))),
        block.cross_attention.project(MEMORY),
    )
    for t in range(T):
        output, cache = block(
            X[:, t : t + 1], MEMORY, CAUSAL[:, t : t + 1], MASK, cache=cache, index=t
        )
        np.testing.assert_allclose(numpy(output), numpy(full)[:, t : t + 1], atol=5e-6)


def test_dropout_in_training_only():
    block = DecoderBlock(N, H, F, dropout=0.5)
    assert np.array_equal(numpy(block(X, MEMORY)[0]), numpy(block(X, MEMORY)[0]))
    assert not np.allclose(
        numpy(block(X, MEMORY, training=True)[0]), numpy(block(X, MEMORY)[0])
    )


def test_attention_weights_on_request():
    block = DecoderBlock(N, H, F)
    output, cache, (to_self, to_memory) = block(
        X, MEMORY, CAUSAL, MASK, return_attention_scores=True
    )
    np.testing.assert_allclose(
        numpy(output), numpy(block(X, MEMORY, CAUSAL, MASK)[0]), atol=5e-6
    )
    assert (
        cache == ()
        and to_self.shape == (B, N, T, T)
        and to_memory.shape == (B, N, T, S)
    )
    assert (
        not np.triu(numpy(to_self), k=1).any()
        and not numpy(to_memory)[0, ..., 4:].any()
    )
    x, memory = keras.KerasTensor((None, T, D)), keras.KerasTensor((None, S, D))
    _, _, symbols = DecoderBlock(N, H, F)(x, memory, return_attention_scores=True)
    assert [tuple(symbol.shape) for symbol in symbols] == [
        (None, N, T, T),
        (None, N, T, S),
    ]
