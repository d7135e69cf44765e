import functools
import math
import shutil
import types

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import (
    ON_TORCH,
    check_layer,
    marked,
    normal,
    numpy,
    randomise,
    whole,
)

from keras_transformer.layers import kernels
from keras_transformer.layers.masks import causal_mask
from keras_transformer.layers.multi_head_attention import MultiHeadAttention

B, N, H, V, S, T, D, M = 2, 3, 5, 7, 11, 13, 17, 19
X = normal(B, T, D)
MEMORY = normal(B, S, M, seed=1)
MASK = np.arange(S) < np.array([[[4]], [[9]]])


@pytest.mark.parametrize("value_dim", [None, V])
@pytest.mark.parametrize("inputs", [(X,), (X, MEMORY), (X, MEMORY, MASK)])
def test_exam(value_dim, inputs):
    check_layer(
        lambda **options: MultiHeadAttention(N, H, value_dim, **options), *inputs
    )


def test_biases():
    layer = MultiHeadAttention(N, H, V, use_bias=True)
    layer(X, MEMORY)
    assert (
        layer.count_params() == (D + 1) * N * H + (M + 1) * N * (H + V) + N * V * D + D
    )
    assert MultiHeadAttention.from_config(layer.get_config()).use_bias


def test_projections_begin_at_glorots_scale_for_all_heads_together():
    layer = MultiHeadAttention(num_heads=8, key_dim=32)
    layer.build((None, None, 128))
    for projection in (layer.query, layer.key, layer.value, layer.output_projection):
        np.testing.assert_allclose(
            numpy(projection.kernel).std(), (2 / (128 + 256)) ** 0.5, rtol=0.03
        )


@pytest.mark.parametrize("return_attention_scores", [False, True])
def test_by_hand(return_attention_scores):
    layer = MultiHeadAttention(num_heads=1, key_dim=4)
    x = np.array([[[1.0, 4.0], [0.0, 8.0]]])
    layer(x)
    layer.query.kernel.assign(np.array([[1.0] * 4, [0.0] * 4]))
    layer.key.kernel.assign(np.array([[0.5 * math.log(3)] * 4, [0.0] * 4]))
    layer.value.kernel.assign(np.array([[0.0] * 4, [1.0, 0.0, 0.0, 0.0]]))
    layer.output_projection.kernel.assign(np.array([[1.0, -1.0]] + [[0.0, 0.0]] * 3))
    # scores over sqrt(4): [[log 3, 0], [0, 0]]; weights [[3/4, 1/4], [1/2, 1/2]];
    # values 4 and 8
    output = layer(x, return_attention_scores=return_attention_scores)
    if return_attention_scores:
        output, scores = output
        expected = [[[[0.75, 0.25], [0.5, 0.5]]]]
        np.testing.assert_allclose(numpy(scores), expected, atol=1e-6)
    np.testing.assert_allclose(numpy(output), [[[5.0, -5.0], [6.0, -6.0]]], atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX has TPUs")
@pytest.mark.parametrize("options", [{}, dict(use_causal_mask=True)])
def test_no_kernel_for_tpus_that_ignores_the_mask_is_taken(monkeypatch, options):
    import jax

    layer = MultiHeadAttention(num_heads=2, key_dim=128)
    x = normal(2, 256, 16)
    expected = numpy(layer(x, **options))
    tpu = types.SimpleNamespace(platform="tpu", id=0)
    monkeypatch.setattr("jax.devices", lambda backend=None: [tpu])
    np.testing.assert_allclose(numpy(layer(x, **options)), expected, atol=1e-6)
    traced = jax.make_jaxpr(functools.partial(layer, **options))(x)
    assert "pallas" not in str(traced)


@pytest.mark.parametrize(
    "options, call, fused",
    [
        ({}, {}, True),
        (dict(dropout=0.5), {}, True),
        (dict(dropout=0.5), dict(training=True), False),
        ({}, dict(return_attention_scores=True), False),
    ],
)
@pytest.mark.parametrize("few", [S - 1, S])
def test_when_the_fused_path_is_taken(monkeypatch, options, call, fused, few):
    monkeypatch.setattr(kernels, "FEW_KEYS", few)
    fastest = dict(jax=True, torch=few < S, tensorflow=False)[keras.backend.backend()]
    taken = []
    fused_attention = ops.dot_product_attention

    def noted(*arguments, **options):
        taken.append(1)
        return fused_attention(*arguments, **options)

    monkeypatch.setattr(ops, "dot_product_attention", noted)
    layer = MultiHeadAttention(N, H, **options)
    layer(X, MEMORY, **call)
    assert bool(taken) == (fused and fastest)


@marked(ON_TORCH)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_who_may_see_nothing_gets_the_mean_on_any_path(monkeypatch, dtype):
    layer = MultiHeadAttention(N, H, dtype=dtype)
    nothing = np.zeros((B, 1, S), "bool")
    expected = numpy(layer(X, MEMORY, nothing, return_attention_scores=True)[0])
    monkeypatch.setattr(kernels, "FEW_KEYS", 0)
    found = numpy(layer(X, MEMORY, nothing))
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_float32_rounded(dtype):
    """On JAX compiled, which has no kernel for float16 on a processor."""
    outputs = []
    for policy in ("float32", dtype):
        layer = MultiHeadAttention(N, H, dtype=policy)
        layer(X, MEMORY)
        randomise(layer)
        outputs.append(numpy(whole(layer, layer)(X, MEMORY, MASK)))
    exact, found = outputs
    np.testing.assert_allclose(found.astype("float32"), exact, atol=0.1)


@pytest.mark.parametrize("mask", [None, MASK])
def test_fused_path_equals_the_path_with_weights(monkeypatch, mask):
    monkeypatch.setattr(kernels, "FEW_KEYS", 0)
    layer = MultiHeadAttention(N, H, use_bias=True)
    layer(X, MEMORY)
    randomise(layer)
    fused = numpy(layer(X, MEMORY, mask))
    output, scores = layer(X, MEMORY, mask, return_attention_scores=True)
    np.testing.assert_allclose(fused, numpy(output), atol=2e-6)
    assert tuple(scores.shape) == (B, N, T, S)
    np.testing.assert_allclose(numpy(scores).sum(-1), 1.0, atol=1e-6)
    if mask is not None:
        hidden = ~np.broadcast_to(mask[:, None], (B, N, T, S))
        assert np.all(numpy(scores)[hidden] == 0)


@pytest.mark.parametrize("value_dim", [H, V])
def test_what_is_masked_has_no_influence(value_dim):
    layer = MultiHeadAttention(N, H, value_dim)
    other = np.where(MASK.transpose(0, 2, 1), MEMORY, 100.0)
    np.testing.assert_array_equal(
        numpy(layer(X, MEMORY, MASK)), numpy(layer(X, other, MASK))
    )
    assert np.abs(numpy(layer(X, MEMORY)) - numpy(layer(X, other))).max() > 0.1


def test_order_of_the_memory_does_not_matter():
    layer = MultiHeadAttention(N, H)
    order = np.random.default_rng(3).permutation(S)
    shuffled = layer(X, MEMORY[:, order], MASK[:, :, order])
    np.testing.assert_allclose(
        numpy(layer(X, MEMORY, MASK)), numpy(shuffled), atol=2e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("value_dim", [H, V])
def test_a_row_with_nothing_to_attend_to_is_finite(value_dim, dtype):
    layer = MultiHeadAttention(N, H, value_dim, dtype=dtype)
    assert np.isfinite(numpy(layer(X, MEMORY, np.zeros((B, 1, S), bool)))).all()


@pytest.mark.parametrize("lengths", [[1] * T, [4, 1, 3, 5], [T]])
@pytest.mark.parametrize("value_dim", [H, V])
def test_steps_equal_the_full_call(value_dim, lengths):
    layer = MultiHeadAttention(N, H, value_dim, use_bias=True)
    layer(X)
    randomise(layer)
    full = numpy(layer(X, attention_mask=causal_mask(T, T)))
    cache = layer.empty_cache(B, T + 2)
    start = 0
    for length in lengths:
        new = ops.convert_to_tensor(X[:, start : start + length])
        output, cache = layer.step(new, cache, start)
        expected = full[:, start : start + length]
        np.testing.assert_allclose(numpy(output), expected, atol=3e-6)
        start += length
    for written, expected in zip(cache, layer.project(X), strict=True):
        np.testing.assert_allclose(numpy(written)[:, :, :T], numpy(expected), atol=1e-6)


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("value_dim", [H, V])
def test_hypotheses_as_queries_equal_a_repeated_memory(value_dim, length):
    layer = MultiHeadAttention(N, H, value_dim)
    hypotheses = 3
    x = ops.convert_to_tensor(normal(B * hypotheses, length, D, seed=2))
    layer(X, MEMORY)
    cache = layer.project(MEMORY)
    output, same = layer.step(x, cache, attention_mask=ops.convert_to_tensor(MASK))
    memory, mask = (np.repeat(array, hypotheses, axis=0) for array in (MEMORY, MASK))
    expected = numpy(layer(x, memory, mask))
    np.testing.assert_allclose(numpy(output), expected, atol=2e-6)
    assert same[0] is cache[0]


@marked(ON_TORCH)
@pytest.mark.skipif(not shutil.which("g++"), reason="no compiler for torch.compile")
def test_gradients_of_what_pytorch_compiles():
    torch = pytest.importorskip("torch")
    layer = MultiHeadAttention(N, H)
    layer(X)

    def attend(x):
        return layer(x, use_causal_mask=True)

    found = []
    for function in (attend, torch.compile(attend)):
        x = torch.from_numpy(X).requires_grad_()
        (function(x) * torch.arange(D)).sum().backward()
        found.append(x.grad.numpy())
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)


def test_dropout_of_weights_in_training_only():
    layer = MultiHeadAttention(N, H, dropout=0.5)
    assert np.array_equal(numpy(layer(X)), numpy(layer(X)))
    assert not np.allclose(numpy(layer(X, training=True)), numpy(layer(X)))


@pytest.mark.parametrize(
    "name, sizes",
    [("num_heads", (0, 1, 1)), ("key_dim", (1, 0, 1)), ("value_dim", (1, 1, -1))],
)
def test_sizes_below_one(name, sizes):
    message = f"{name} must be at least 1; received {min(sizes)}"
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(*sizes)


@marked(ON_TORCH)
def test_options_of_another_kind():
    message = "num_heads must be an integer of at least 1; received "
    for wrong in ("2", 2.0, None, True):
        with pytest.raises(ValueError, match=f"{message}{wrong!r}"):
            MultiHeadAttention(wrong, H)
    with pytest.raises(ValueError, match="window must be at least 1; received 0"):
        MultiHeadAttention(N, H, window=0)
    for wrong in (1.5, -0.1, "half"):
        message = f"dropout must lie between 0 and 1; received {wrong!r}"
        with pytest.raises(ValueError, match=message):
            MultiHeadAttention(N, H, dropout=wrong)


@pytest.mark.parametrize("x, memory", [(X[:, :0], None), (X, MEMORY[:, :0])])
def test_an_empty_sequence(x, memory):
    with pytest.raises(ValueError, match="must hold at least one position; received"):
        MultiHeadAttention(N, H)(x, memory)


@pytest.mark.parametrize("shape", [(T, D), (B, 2, T, D)])
def test_x_and_memory_have_three_axes(shape):
    layer = MultiHeadAttention(N, H)
    wrong = normal(*shape)
    message = r"must have three axes \(B, T, D\); received \("
    with pytest.raises(ValueError, match=f"x {message}"):
        layer(wrong)
    with pytest.raises(ValueError, match=f"memory {message}"):
        MultiHeadAttention(N, H)(X, wrong)
    layer(X)
    with pytest.raises(ValueError, match=f"x and memory {message}"):
        layer(wrong)


@pytest.mark.parametrize("x, memory", [(X[:1], MEMORY), (X, MEMORY[:1])])
def test_memory_has_a_row_for_each_of_x(x, memory):
    message = f"memory must have as many rows as x, {len(x)}; received {len(memory)}"
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(N, H)(x, memory)


def test_a_step_beyond_the_cache():
    layer = MultiHeadAttention(N, H)
    layer(X)
    new = ops.convert_to_tensor(X[:, :2])
    message = "index must have room for 2 positions in a cache of 3; received "
    for index in (2, -1, np.int64(2)):
        with pytest.raises(ValueError, match=f"{message}{index}"):
            layer.step(new, layer.empty_cache(B, 3), index)
