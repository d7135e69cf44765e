import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH, gradient, marked, normal, numpy, whole

from keras_transformer.layers.masks import padding_mask

B, W, T, S = 3, 2, 7, 11


@pytest.fixture
def encoded(batch):
    """A memory, its mask, and target ids of W hypotheses a sentence."""
    source_ids = batch[0]["source_ids"]
    ids = np.random.default_rng(2).integers(4, 19, size=(B * W, T), dtype="int32")
    return ops.convert_to_tensor(normal(B, S, 14)), padding_mask(source_ids), ids


def stepped(decoder, memory, mask, ids, sizes):
    """The logits `(R, T, V)` of steps of those sizes, and the last cache."""
    cache = decoder.empty_cache(B * W, T)
    cross_cache = decoder.cross_cache(memory)
    step = whole(decoder.step, decoder)
    logits = []
    index = 0
    for size in sizes:
        new_ids = ids[:, index : index + size]
        place = ops.convert_to_tensor(index, dtype="int32")
        found, cache = step(new_ids, cache, place, cross_cache, mask)
        logits.append(numpy(found))
        index += size
    return np.concatenate(logits, axis=1), cache


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        dict(norm_first=True, value_dim=13, attention_bias=True),
        dict(positions="learned", max_positions=7, share_embeddings=False),
        dict(positions="sinusoidal_halves", activation="gelu"),
        dict(
            embedding_norm=True,
            final_norm=True,
            output_bias=True,
            tie_output=False,
            scale_embedding=False,
        ),
        dict(
            positions="learned",
            max_positions=7,
            share_positions=False,
            norm_first=True,
            final_norm=False,
        ),
        dict(positions="sinusoidal_fairseq", first_position=2, output_bias=True),
        # As in Llama and in T5, and a window.
        dict(
            norm="rms",
            norm_first=True,
            gated=True,
            feed_forward_bias=False,
            positions="rotary",
            key_dim=6,
            num_key_value_heads=1,
        ),
        dict(
            positions="relative",
            relative_buckets=4,
            relative_distance=5,
            norm="rms",
            activation="gelu_tanh",
        ),
        dict(positions="none", window=3),
    ],
)
def test_steps_of_every_hypothesis_equal_one_call(make, encoded, changes):
    """A prefill and then one position a step; of one model every other way too."""
    decoder = make(**changes).decoder
    memory, mask, ids = encoded
    repeated = ops.repeat(memory, W, axis=0)
    full = whole(decoder, decoder)(ids, repeated, ops.repeat(mask, W, axis=0))
    assert full.shape == (B * W, T, 19)
    others = () if changes else ((1,) * T, (3, 2, 2), (T,))
    for sizes in ((4, 1, 1, 1), *others):
        logits, cache = stepped(decoder, memory, mask, ids, sizes)
        np.testing.assert_allclose(logits, numpy(full), atol=5e-6)
    keys, values = cache[1]
    cross_keys, _ = decoder.cross_cache(memory)[1]
    heads = changes.get("num_key_value_heads", 2)
    size = changes.get("key_dim", 5)
    assert keys.shape == (B * W, heads, T, size)
    assert values.shape == (B * W, heads, T, changes.get("value_dim", 5))
    assert cross_keys.shape == (B, heads, S, size)


@marked(ON_TORCH)
def test_caches_are_in_the_compute_dtype(make, encoded):
    decoder = make(dtype="mixed_bfloat16").decoder
    memory, mask, ids = encoded
    cache = decoder.empty_cache(B * W, T)
    cross_cache = decoder.cross_cache(memory)
    logits, after = decoder.step(ids[:, :1], cache, 0, cross_cache, mask)
    leaves = keras.tree.flatten((cache, cross_cache, after))
    assert {keras.backend.standardize_dtype(x.dtype) for x in leaves} == {"bfloat16"}
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"


@pytest.mark.parametrize("norm_first", [False, True])
def test_causality_by_gradient(make, encoded, norm_first, monkeypatch):
    """The loss at one position has no gradient at all from what enters later."""
    decoder = make(norm_first=norm_first).decoder
    memory, mask, ids = encoded
    encode = decoder.embedding.encode

    def loss(added, position):
        def encode_and_add(positions):
            return encode(positions) + added

        monkeypatch.setattr(decoder.embedding, "encode", encode_and_add)
        logits = decoder(ids[:B], memory, mask)
        return ops.sum(ops.log_softmax(logits, axis=-1)[:, position, 5])

    for position in (0, 3, T - 1):

        def loss_here(added, position=position):
            return loss(added, position)

        slope = gradient(loss_here, np.zeros((B, T, 14), "float32"))
        assert np.all(slope[:, position + 1 :] == 0)
        assert np.all(np.abs(slope[:, : position + 1]).max(axis=-1) > 1e-6)


def test_without_a_mask_all_of_the_memory_is_seen(make, encoded):
    decoder = make().decoder
    memory, mask, ids = encoded
    every = ops.ones_like(mask)
    expected = numpy(decoder(ids[:B], memory, every))
    np.testing.assert_allclose(numpy(decoder(ids[:B], memory)), expected, atol=1e-6)
    masked = numpy(decoder(ids[:B], memory, mask))
    assert np.abs(masked - expected).max() > 0.01


def test_final_norm_of_pre_norm_only(make):
    assert type(make().decoder.final_norm) is keras.layers.Identity
    assert make(norm_first=True).decoder.final_norm.gamma.shape == (14,)
