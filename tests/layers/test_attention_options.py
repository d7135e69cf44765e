"""Attention with fewer key heads, rotary positions, a window, a bias."""

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import check_layer, normal, numpy, randomise

from keras_transformer.layers import multi_head_attention
from keras_transformer.layers.decoder_block import DecoderBlock
from keras_transformer.layers.encoder_block import EncoderBlock
from keras_transformer.layers.masks import causal_mask
from keras_transformer.layers.multi_head_attention import MultiHeadAttention
from keras_transformer.layers.window import attend_in_blocks

B, T, D, N, H, W = 2, 13, 10, 6, 4, 3
X = normal(B, T, D)
BIAS = normal(1, N, T, T, seed=5)
REAL = np.arange(T) < np.array([[[9]], [[T]]])
GROUPED = dict(num_key_value_heads=2)
ROTARY = dict(rotary=(100.0, 4.0, 8))
WINDOW = dict(window=W)
ALL = {**GROUPED, **ROTARY, **WINDOW}
OPTIONS = [GROUPED, ROTARY, WINDOW, ALL]


def made(**options):
    layer = MultiHeadAttention(N, H, **options)
    layer(X)
    return randomise(layer)


@pytest.mark.parametrize("options", OPTIONS)
def test_exam(options):
    check_layer(lambda **more: MultiHeadAttention(N, H, **options, **more), X)


def test_heads_of_keys_serve_consecutive_heads_of_queries():
    layer = made(**GROUPED)
    full = made()
    for name in ("query", "output_projection"):
        getattr(full, name).kernel.assign(getattr(layer, name).kernel)
    for name in ("key", "value"):
        kernel = numpy(getattr(layer, name).kernel).reshape(D, 2, 1, H)
        repeated = np.repeat(kernel, N // 2, axis=2).reshape(D, N * H)
        getattr(full, name).kernel.assign(repeated)
    for call in ({}, dict(position_bias=BIAS), dict(return_attention_scores=True)):
        found = layer(X, **call)
        expected = full(X, **call)
        if call.get("return_attention_scores"):
            np.testing.assert_allclose(numpy(found[1]), numpy(expected[1]), atol=1e-6)
            found = found[0]
            expected = expected[0]
        np.testing.assert_allclose(numpy(found), numpy(expected), atol=2e-6)
    assert tuple(layer.empty_cache(B, 7)[0].shape) == (B, 2, 7, H)


@pytest.mark.parametrize("window", [1, 2, 5, 12, 13, 40])
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("mask", [None, REAL])
def test_blocks_equal_a_mask(window, is_causal, mask):
    layer = made(window=window)
    call = dict(attention_mask=mask, use_causal_mask=is_causal)
    blocked = numpy(layer(X, **call))
    masked, scores = layer(X, **call, return_attention_scores=True)
    real = np.ones((B, T), bool) if mask is None else mask[:, 0]
    np.testing.assert_allclose(blocked[real], numpy(masked)[real], atol=2e-6)
    distance = np.arange(T)[:, None] - np.arange(T)
    far = np.abs(distance) >= window
    if is_causal:
        far |= distance < 0
    assert np.all(numpy(scores)[:, :, far][real.all(1)] == 0)


@pytest.mark.parametrize("window, pieces", [(T - 1, 1), (T, 0), (1000, 0)])
def test_no_blocks_where_a_window_holds_the_whole_text(monkeypatch, window, pieces):
    taken = []

    def noted(*arguments):
        taken.append(1)
        return attend_in_blocks(*arguments)

    monkeypatch.setattr(multi_head_attention, "attend_in_blocks", noted)
    made(window=window)(X)
    # Once to build, and once here.
    assert len(taken) == 2 * pieces


def test_a_window_of_no_rows():
    assert made(**WINDOW)(X[:0]).shape == X[:0].shape


def test_a_window_with_a_mask_of_queries():
    """As for documents that share a row: blocks know keys only."""
    mask = np.tri(T, dtype=bool) & (np.arange(T)[:, None] // 5 == np.arange(T) // 5)
    layer = made(**WINDOW)
    found = numpy(layer(X, attention_mask=mask))
    near = np.abs(np.arange(T)[:, None] - np.arange(T)) < W
    plain = made()
    plain.set_weights(layer.get_weights())
    expected = numpy(plain(X, attention_mask=mask & near))
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("use_causal_mask", [False, True])
def test_bias_is_added_to_the_scores(use_causal_mask):
    layer = made()
    call = dict(use_causal_mask=use_causal_mask, return_attention_scores=True)
    _, plain = layer(X, **call)
    output, scores = layer(X, **call, position_bias=BIAS)
    weights = numpy(plain) * np.exp(BIAS)
    expected = weights / weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(numpy(scores), expected, atol=2e-6)
    alone = layer(X, use_causal_mask=use_causal_mask, position_bias=BIAS)
    np.testing.assert_allclose(numpy(alone), numpy(output), atol=2e-6)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("lengths", [[1] * T, [4, 1, 3, 5]])
def test_steps_equal_the_full_call(options, lengths):
    layer = made(**options)
    full = numpy(layer(X, use_causal_mask=True, position_bias=BIAS))
    cache = layer.empty_cache(B, T)
    start = 0
    for length in lengths:
        end = start + length
        new = ops.convert_to_tensor(X[:, start:end])
        part = BIAS[:, :, start:end]
        output, cache = layer.step(new, cache, start, position_bias=part)
        np.testing.assert_allclose(numpy(output), full[:, start:end], atol=3e-6)
        start = end


@pytest.mark.parametrize("bias", [BIAS[0], BIAS[:, :, :1, :-1], BIAS[:, :-1]])
def test_a_bias_that_does_not_fit_is_refused(bias):
    with pytest.raises(ValueError, match="position_bias must broadcast to .*received"):
        made()(X, position_bias=bias)


def test_causal_mask_on_request_equals_one_that_is_given():
    layer = made()
    given = layer(X, attention_mask=causal_mask(T, T))
    np.testing.assert_allclose(
        numpy(layer(X, use_causal_mask=True)), numpy(given), atol=1e-6
    )


BLOCK = dict(num_heads=N, key_dim=H, d_ff=7, dropout=0.0)
LIKE_LLAMA = dict(
    norm="rms", norm_first=True, activation="silu", gated=True, feed_forward_bias=False
)


@pytest.mark.parametrize("kind", [EncoderBlock, DecoderBlock])
def test_blocks_without_memory(kind):
    check_layer(lambda **more: kind(**BLOCK, **LIKE_LLAMA, **ALL, **more), X)


@pytest.mark.parametrize("lengths", [[1] * T, [4, 1, 3, 5]])
def test_a_decoder_block_without_memory_goes_step_by_step(lengths):
    block = DecoderBlock(**BLOCK, **LIKE_LLAMA, **ALL)
    full = numpy(block(X))
    cache = block.self_attention.empty_cache(B, T)
    start = 0
    for length in lengths:
        end = start + length
        output, cache = block.step(ops.convert_to_tensor(X[:, start:end]), cache, start)
        np.testing.assert_allclose(numpy(output), full[:, start:end], atol=3e-6)
        start = end
    _, (first, second) = block(X, return_attention_scores=True)
    assert tuple(first.shape) == (B, N, T, T) and second == ()
    inputs = keras.Input((T, D))
    _, (scores, _) = block(inputs, return_attention_scores=True)
    assert scores.shape == (None, N, T, T)


def test_rms_norm_by_hand():
    block = EncoderBlock(**BLOCK, norm="rms")
    output = numpy(block(X))
    np.testing.assert_allclose((output**2).mean(-1), 1.0, atol=1e-4)
    assert [weight.name for weight in block.feed_forward_residual.weights] == ["scale"]


def test_errors():
    with pytest.raises(ValueError, match="num_key_value_heads must divide num_heads=6"):
        MultiHeadAttention(N, H, num_key_value_heads=4)
    with pytest.raises(ValueError, match="window must be at least 1; received 0"):
        MultiHeadAttention(N, H, window=0)
    with pytest.raises(ValueError, match="key_dim must be an even number"):
        MultiHeadAttention(N, 5, rotary=(10.0,))
    for layer in (MultiHeadAttention(N, H, **ROTARY), made(**ROTARY), made(**WINDOW)):
        with pytest.raises(ValueError, match="memory must be absent with rotary"):
            layer(X, X)
    for rotary in (100.0, (), (100.0, 4.0)):
        with pytest.raises(ValueError, match="rotary must be a tuple .*; received"):
            MultiHeadAttention(N, H, rotary=rotary)
    with pytest.raises(ValueError, match="num_key_value_heads must be at least 1"):
        MultiHeadAttention(N, H, num_key_value_heads=0)
    with pytest.raises(ValueError, match="norm must be one of layer, rms"):
        EncoderBlock(**BLOCK, norm="batch")
    block = DecoderBlock(**BLOCK)
    block(X)
    with pytest.raises(ValueError, match="memory must be given, or not, as when"):
        block(X, X)
