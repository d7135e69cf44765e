import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import gradient, normal, numpy

from keras_transformer.layers.masks import padding_mask

B, W, T, S = 3, 2, 7, 11


@pytest.fixture
def encoded(batch):
    """A memory, its mask, and target ids of W hypotheses a sentence."""
    source_ids = batch[0]["source_ids"]
    ids = np.random.default_rng(2).integers(4, 19, size=(B * W, T), dtype="int32")
    return normal(B, S, 14), padding_mask(source_ids), ids


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
    ],
)
def test_cached_steps_of_every_hypothesis_equal_one_full_call(make, encoded, changes):
    decoder, (memory, mask, ids) = make(**changes).decoder, encoded
    full, no_cache = decoder(
        ids, np.repeat(memory, W, axis=0), ops.repeat(mask, W, axis=0)
    )
    assert no_cache == () and full.shape == (B * W, T, 19)
    cache = (
        decoder.empty_self_cache(B * W, T),
        decoder.cross_cache(ops.convert_to_tensor(memory)),
    )
    for t in range(T):
        index = ops.convert_to_tensor(t, dtype="int32")
        logits, cache = decoder(
            ids[:, t : t + 1], memory, mask, cache=cache, index=index
        )
        np.testing.assert_allclose(numpy(logits)[:, 0], numpy(full)[:, t], atol=5e-6)
    (keys, values), (cross_keys, _) = cache[0][1], cache[1][1]
    assert keys.shape == (B * W, 2, T, 5) and values.shape[3] == changes.get(
        "value_dim", 5
    )
    assert cross_keys.shape == (B, 2, S, 5)


def test_caches_are_in_the_compute_dtype(make, encoded):
    decoder, (memory, mask, ids) = make(dtype="mixed_bfloat16").decoder, encoded
    cache = (
        decoder.empty_self_cache(B * W, T),
        decoder.cross_cache(ops.convert_to_tensor(memory)),
    )
    logits, after = decoder(ids[:, :1], memory, mask, cache=cache)
    types = {
        keras.backend.standardize_dtype(x.dtype)
        for x in keras.tree.flatten((cache, after))
    }
    assert (
        types == {"bfloat16"}
        and keras.backend.standardize_dtype(logits.dtype) == "float32"
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_causality_by_gradient(make, encoded, norm_first, monkeypatch):
    """The loss at one position has gradient 0, exactly, with respect to what enters at every later one."""
    decoder, (memory, mask, ids) = make(norm_first=norm_first).decoder, encoded
    encode = decoder.embedding.encode

    def loss(added, position):
        monkeypatch.setattr(
            decoder.embedding, "encode", lambda positions, *_: encode(positions) + added
        )
        logits, _ = decoder(ids[:B], ops.convert_to_tensor(memory), mask)
        return ops.sum(ops.log_softmax(logits, axis=-1)[:, position, 5])

    for position in (0, 3, T - 1):
        slope = gradient(
            lambda added: loss(added, position), np.zeros((B, T, 14), "float32")
        )  # noqa: B023
        assert np.all(slope[:, position + 1 :] == 0)
        assert np.all(np.abs(slope[:, : position + 1]).max(axis=-1) > 1e-6)


def test_final_norm_of_pre_norm_only(make):
    assert make().decoder.final_norm is None
    assert make(norm_first=True).decoder.final_norm.gamma.shape == (14,)
