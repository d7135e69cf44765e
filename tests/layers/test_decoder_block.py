import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import check_layer, normal, numpy, randomise

from keras_transformer.layers.decoder_block import DecoderBlock

B, N, H, V, S, T, F, D = 2, 3, 5, 7, 11, 13, 19, 17
X = normal(B, T, D)
MEMORY = normal(B, S, D, seed=1)
MASK = np.arange(S) < np.array([[[4]], [[9]]])


@pytest.mark.parametrize("norm_first", [False, True])
def test_exam(norm_first):
    sizes = dict(
        num_heads=N, key_dim=H, d_ff=F, value_dim=V, norm_first=norm_first, dropout=0.0
    )
    check_layer(lambda **options: DecoderBlock(**sizes, **options), X, MEMORY)


@pytest.mark.parametrize(
    "norm_first, expected",
    [(False, np.array([1.0, 3.0, -1.0, -3.0]) / 5**0.5), (True, [3.0, 1.0, 3.0, -1.0])],
)
def test_by_hand(norm_first, expected):
    block = DecoderBlock(1, 2, 3, norm_first=norm_first, use_bias=True)
    x = np.array([[[1.0, 1.0, 3.0, 3.0]]])
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
    # same; + f = [1, 3, -1, -3]. pre: x + a + c + f
    np.testing.assert_allclose(numpy(block(x, x)), [[expected]], atol=1e-5)


def test_it_is_causal_unless_told_otherwise():
    block = DecoderBlock(N, H, F)
    other = X.copy()
    other[:, 5:] += 1.0
    before, after = (numpy(block(x, MEMORY)) for x in (X, other))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert np.abs(before[:, 5:] - after[:, 5:]).max() > 0.1
    free = dict(use_causal_mask=False)
    before, after = (numpy(block(x, MEMORY, **free)) for x in (X, other))
    assert np.abs(before[:, :5] - after[:, :5]).max() > 0.01


def test_a_mask_is_added_to_the_causal_one():
    block = DecoderBlock(N, H, F)
    real = np.arange(T) < np.array([[[4]], [[9]]])
    both = np.logical_and(real, np.tri(T, dtype=bool))
    expected = block(X, MEMORY, attention_mask=both, use_causal_mask=False)
    found = block(X, MEMORY, attention_mask=real)
    np.testing.assert_allclose(numpy(found), numpy(expected), atol=2e-6)


@pytest.mark.parametrize("lengths", [[1] * T, [5, 1, 7]])
@pytest.mark.parametrize("norm_first", [False, True])
def test_steps_equal_the_full_call(norm_first, lengths):
    block = DecoderBlock(N, H, F, V, norm_first=norm_first, use_bias=True)
    mask = ops.convert_to_tensor(MASK)
    block(X, MEMORY)
    randomise(block)
    full = numpy(block(X, MEMORY, cross_attention_mask=mask))
    cache = block.self_attention.empty_cache(B, T)
    cross_cache = block.cross_attention.project(MEMORY)
    start = 0
    for length in lengths:
        new = ops.convert_to_tensor(X[:, start : start + length])
        output, cache = block.step(
            new, cache, start, cross_cache, cross_attention_mask=mask
        )
        expected = full[:, start : start + length]
        np.testing.assert_allclose(numpy(output), expected, atol=5e-6)
        start += length


def test_dropout_in_training_only():
    block = DecoderBlock(N, H, F, dropout=0.5)
    output = numpy(block(X, MEMORY))
    assert np.array_equal(numpy(block(X, MEMORY)), output)
    assert not np.allclose(numpy(block(X, MEMORY, training=True)), output)


def test_attention_scores_on_request():
    block = DecoderBlock(N, H, F)
    masks = dict(cross_attention_mask=MASK)
    output, scores = block(X, MEMORY, **masks, return_attention_scores=True)
    expected = numpy(block(X, MEMORY, **masks))
    np.testing.assert_allclose(numpy(output), expected, atol=5e-6)
    to_self, to_memory = (numpy(weights) for weights in scores)
    assert to_self.shape == (B, N, T, T)
    assert to_memory.shape == (B, N, T, S)
    assert not np.triu(to_self, k=1).any()
    assert not to_memory[0, ..., 4:].any()
    x = keras.KerasTensor((None, T, D))
    memory = keras.KerasTensor((None, S, D))
    _, symbols = DecoderBlock(N, H, F)(x, memory, return_attention_scores=True)
    shapes = [tuple(symbol.shape) for symbol in symbols]
    assert shapes == [(None, N, T, T), (None, N, T, S)]


def test_a_block_without_memory_is_computed_again():
    with keras.RematScope("full"):
        block = DecoderBlock(N, H, F, dropout=0.0)
    found = numpy(block(X, None))
    plain = DecoderBlock(N, H, F, dropout=0.0)
    plain.build(X.shape)
    plain.set_weights(block.get_weights())
    np.testing.assert_allclose(found, numpy(plain(X)), atol=1e-5)


@pytest.mark.every_backend
def test_each_part_may_compute_in_another_type():
    names = ["query", "output", "drop", "norm", "feed_forward", "gate", "contract"]
    names += ["self_attention", "cross_attention", "self_attention_residual"]
    usual = DecoderBlock(N, H, F, gated=True)
    expected = numpy(usual(X, MEMORY))
    for name in names:
        policy = keras.dtype_policies.DTypePolicyMap("mixed_bfloat16")
        policy[f".*{name}"] = "float32"
        block = DecoderBlock(N, H, F, gated=True, dtype=policy)
        block.build(X.shape, MEMORY.shape)
        block.set_weights(usual.get_weights())
        np.testing.assert_allclose(numpy(block(X, MEMORY)), expected, atol=0.1)
