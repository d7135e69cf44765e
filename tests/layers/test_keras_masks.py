"""Masks mean what they mean to `keras.layers.MultiHeadAttention`."""

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import normal, numpy, randomise

from keras_transformer.layers.decoder_block import DecoderBlock
from keras_transformer.layers.encoder_block import EncoderBlock
from keras_transformer.layers.multi_head_attention import MultiHeadAttention
from keras_transformer.layers.positional_embedding import PositionalEmbedding

D = 6


def pair(heads, size, value_size=None):
    """Our layer and Keras's, with the same weights."""
    ours = MultiHeadAttention(heads, size, value_size, use_bias=True)
    theirs = keras.layers.MultiHeadAttention(heads, size, value_dim=value_size)
    x = np.zeros((1, 2, D), "float32")
    ours(x, x)
    theirs(x, x, return_attention_scores=True)
    randomise(ours)
    values = value_size or size
    for name, width in (("query", size), ("key", size), ("value", values)):
        own = getattr(ours, name)
        dense = getattr(theirs, f"{name}_dense")
        dense.kernel.assign(ops.reshape(own.kernel, (D, heads, width)))
        dense.bias.assign(ops.reshape(own.bias, (heads, width)))
    output = ours.output_projection
    theirs.output_dense.kernel.assign(ops.reshape(output.kernel, (heads, values, D)))
    theirs.output_dense.bias.assign(output.bias)
    return ours, theirs


def random_mask(*shape):
    """A mask in which each query may attend to something."""
    mask = np.random.default_rng(5).random(shape) < 0.5
    mask[..., 0] = True
    return mask


# Batch, heads, queries, keys; equal ones, where a wrong axis would go unnoticed.
SIZES = [(2, 3, 5, 7), (3, 3, 3, 3), (2, 4, 4, 4), (5, 5, 5, 7), (2, 2, 3, 2)]


@pytest.mark.parametrize("value_size", [None, 5])
@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("sizes", SIZES)
def test_cross_attention_as_keras(sizes, rank, value_size):
    batch, heads, queries, keys = sizes
    ours, theirs = pair(heads, 4, value_size)
    x = normal(batch, queries, D)
    memory = normal(batch, keys, D, seed=1)
    mask = random_mask(*{2: sizes[2:], 3: (batch, queries, keys), 4: sizes}[rank])
    # Keras's fused attention fails on JAX when a head's values have another size.
    options = dict(attention_mask=mask, return_attention_scores=True)
    expected, _ = theirs(x, memory, **options)
    found = ours(x, memory, attention_mask=mask)
    np.testing.assert_allclose(numpy(found), numpy(expected), atol=2e-5)


@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("size", [3, 4])
def test_self_attention_as_keras(size, rank):
    ours, theirs = pair(size, 4)
    x = normal(size, size, D)
    mask = random_mask(*(size,) * rank)
    expected, weights = theirs(x, x, attention_mask=mask, return_attention_scores=True)
    found, scores = ours(x, attention_mask=mask, return_attention_scores=True)
    np.testing.assert_allclose(numpy(found), numpy(expected), atol=2e-5)
    np.testing.assert_allclose(numpy(scores), numpy(weights), atol=1e-5)


def test_a_mask_that_cannot_broadcast():
    layer = MultiHeadAttention(2, 4)
    with pytest.raises(ValueError, match=r"\(2, 2, 3, 3\); received \(5, 3\)"):
        layer(normal(2, 3, D), attention_mask=np.ones((5, 3), bool))


def masked(x, real):
    """x with Keras's implicit mask, which leaves out rows of zeros."""
    return keras.layers.Masking()(np.where(real[..., None], x, 0.0))


REAL = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]], bool)


def test_an_implicit_mask_of_the_keys_as_keras():
    ours, theirs = pair(3, 4)
    x = normal(3, 4, D)
    memory = normal(3, 5, D, seed=1)
    expected = theirs(x, masked(memory, REAL))
    np.testing.assert_allclose(
        numpy(ours(x, masked(memory, REAL))), numpy(expected), atol=2e-5
    )
    mask = random_mask(4, 5)
    both = ours(x, masked(memory, REAL), attention_mask=mask)
    expected = ours(x, masked(memory, REAL) + 0.0, attention_mask=mask & REAL[:, None])
    np.testing.assert_allclose(numpy(both), numpy(expected), atol=2e-5)


def test_an_implicit_mask_of_self_attention_as_keras():
    ours, theirs = pair(3, 4)
    x = masked(normal(3, 5, D), REAL)
    found = numpy(ours(x))
    expected = numpy(theirs(x, x))
    np.testing.assert_allclose(found[REAL], expected[REAL], atol=2e-5)


@pytest.mark.parametrize(
    "options", [{}, dict(norm_first=True), dict(norm_first=True, norm="rms")]
)
@pytest.mark.parametrize("functional", [False, True])
def test_padding_does_not_change_a_pooled_output(functional, options):
    layers = [
        PositionalEmbedding(11, D, mask_zero=True),
        EncoderBlock(3, 4, 7, **options),
        EncoderBlock(3, 4, 7, **options),
        MultiHeadAttention(3, 4),
        keras.layers.GlobalAveragePooling1D(),
    ]
    model = keras.Sequential(layers)
    if functional:
        inputs = keras.Input((None,), dtype="int32")
        outputs = inputs
        for layer in layers:
            outputs = layer(outputs)
        model = keras.Model(inputs, outputs)
    ids = np.array([[4, 5, 6]])
    padded = np.pad(ids, ((0, 0), (0, 4)))
    predicted = model.predict(ids, verbose=0), model.predict(padded, verbose=0)
    np.testing.assert_allclose(*predicted, atol=1e-5)


def test_padding_of_the_memory_does_not_change_a_decoder_block():
    block = DecoderBlock(3, 4, 7)
    embedding = PositionalEmbedding(11, D, mask_zero=True)
    x = normal(1, 4, D)
    ids = np.array([[4, 5, 6]])
    padded = np.pad(ids, ((0, 0), (0, 4)))
    expected = numpy(block(x, embedding(ids)))
    np.testing.assert_allclose(numpy(block(x, embedding(padded))), expected, atol=1e-5)


def test_an_implicit_mask_counts_where_a_block_is_computed_again():
    with keras.RematScope("full"):
        block = EncoderBlock(3, 4, 7, dropout=0.0)
    x = masked(normal(3, 5, D), REAL)
    found = numpy(block(x))
    plain = EncoderBlock(3, 4, 7, dropout=0.0)
    plain.build(x.shape)
    plain.set_weights(block.get_weights())
    np.testing.assert_allclose(found[REAL], numpy(plain(x))[REAL], atol=1e-5)


def test_a_causal_mask_of_a_memory_as_keras():
    ours, theirs = pair(3, 4)
    x = normal(2, 4, D)
    memory = normal(2, 5, D, seed=1)
    found = ours(x, memory, use_causal_mask=True)
    expected = theirs(x, memory, use_causal_mask=True)
    np.testing.assert_allclose(numpy(found), numpy(expected), atol=2e-5)


def test_a_mask_goes_on_to_the_next_layer():
    embedding = PositionalEmbedding(11, D, mask_zero=True)
    x = embedding(keras.Input((None,), dtype="int32"))
    for layer in (EncoderBlock(3, 4, 7), MultiHeadAttention(3, 4)):
        x = layer(x)
        assert x._keras_mask is not None
    x = DecoderBlock(3, 4, 7)(x, keras.Input((5, D)))
    assert x._keras_mask is not None
    assert embedding.compute_mask(np.array([[4, 0]])).shape == (1, 2)
