import keras
import numpy as np
import pytest
from layer_checks import numpy

from keras_transformer.layers.masks import padding_mask


def test_final_norm_of_pre_norm_only(make, batch):
    inputs, _, _ = batch
    mask = padding_mask(inputs["source_ids"])
    assert make().encoder.final_norm is None
    encoder = make(norm_first=True).encoder
    encoder.final_norm.set_weights([np.ones(14), np.zeros(14)])
    memory = numpy(encoder(inputs["source_ids"], mask))
    np.testing.assert_allclose(memory.mean(-1), 0.0, atol=1e-5)
    np.testing.assert_allclose(memory.std(-1), 1.0, atol=1e-3)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("value_dim", [5, 13])
def test_ids_under_the_mask_have_no_influence(make, batch, norm_first, value_dim):
    encoder, ids = (
        make(norm_first=norm_first, value_dim=value_dim).encoder,
        batch[0]["source_ids"],
    )
    real = ids != 0
    mask, other = padding_mask(ids), np.where(real, ids, 7)
    np.testing.assert_array_equal(
        numpy(encoder(ids, mask))[real], numpy(encoder(other, mask))[real]
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_more_padding_changes_nothing(make, batch, norm_first):
    encoder, ids = make(norm_first=norm_first).encoder, batch[0]["source_ids"]
    longer = np.pad(ids, ((0, 0), (0, 6)))
    memory, long_memory = (numpy(encoder(x, padding_mask(x))) for x in (ids, longer))
    np.testing.assert_allclose(memory[ids != 0], long_memory[longer != 0], atol=2e-6)


@pytest.mark.parametrize("norm_first", [False, True])
def test_attention_of_every_layer_on_request(make, batch, norm_first):
    """For encoder and decoder: nothing else changes, and shapes are known before there are values."""
    model, ids, targets = (
        make(norm_first=norm_first),
        batch[0]["source_ids"],
        batch[0]["target_ids"],
    )
    mask = padding_mask(ids)
    memory, weights = model.encoder(ids, mask, return_attention_scores=True)
    np.testing.assert_allclose(
        numpy(memory), numpy(model.encoder(ids, mask)), atol=5e-6
    )
    assert len(weights) == 1 and weights[0].shape == (3, 2, 11, 11)
    logits, cache, pairs = model.decoder(
        targets, memory, mask, return_attention_scores=True
    )
    np.testing.assert_allclose(
        numpy(logits), numpy(model.decoder(targets, memory, mask)[0]), atol=5e-6
    )
    assert (
        cache == ()
        and [[tuple(x.shape) for x in pair] for pair in pairs]
        == [[(3, 2, 7, 7), (3, 2, 7, 11)]] * 2
    )

    source, target = (
        keras.KerasTensor((None, 11), dtype="int32"),
        keras.KerasTensor((None, 7), dtype="int32"),
    )
    mask = keras.KerasTensor((None, 1, 11), dtype="bool")
    memory, weights = model.encoder(source, mask, return_attention_scores=True)
    assert weights[0].shape == (None, 2, 11, 11)
    _, _, pairs = model.decoder(target, memory, mask, return_attention_scores=True)
    assert [[x.shape for x in pair] for pair in pairs] == [
        [(None, 2, 7, 7), (None, 2, 7, 11)]
    ] * 2
