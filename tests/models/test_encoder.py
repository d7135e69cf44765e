import keras
import numpy as np
import pytest
from layer_checks import numpy, randomise

from keras_transformer.config import CausalLMConfig, TransformerConfig
from keras_transformer.layers.masks import padding_mask
from keras_transformer.layers.positional_embedding import PositionalEmbedding
from keras_transformer.models.causal_lm import CausalLM
from keras_transformer.models.decoder import Decoder
from keras_transformer.models.encoder import Encoder
from keras_transformer.models.transformer import Transformer


def test_final_norm_of_pre_norm_only(make, batch):
    source_ids = batch[0]["source_ids"]
    assert type(make().encoder.final_norm) is keras.layers.Identity
    encoder = make(norm_first=True).encoder
    encoder.final_norm.set_weights([np.ones(14), np.zeros(14)])
    memory = numpy(encoder(source_ids))
    np.testing.assert_allclose(memory.mean(-1), 0.0, atol=1e-5)
    np.testing.assert_allclose(memory.std(-1), 1.0, atol=1e-3)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("value_dim", [5, 13])
def test_ids_under_the_mask_have_no_influence(make, batch, norm_first, value_dim):
    encoder = make(norm_first=norm_first, value_dim=value_dim).encoder
    ids = batch[0]["source_ids"]
    real = ids != 0
    mask = padding_mask(ids)
    other = numpy(encoder(np.where(real, ids, 7), mask))
    memory = numpy(encoder(ids, mask))
    np.testing.assert_array_equal(memory[real], other[real])
    # Without a mask it is made from the ids.
    np.testing.assert_array_equal(numpy(encoder(ids)), memory)


@pytest.mark.parametrize("norm_first", [False, True])
def test_more_padding_changes_nothing(make, batch, norm_first):
    encoder = make(norm_first=norm_first).encoder
    ids = batch[0]["source_ids"]
    longer = np.pad(ids, ((0, 0), (0, 6)))
    memory = numpy(encoder(ids))[ids != 0]
    long_memory = numpy(encoder(longer))[longer != 0]
    np.testing.assert_allclose(memory, long_memory, atol=2e-6)


def shapes(pairs):
    return [[tuple(weights.shape) for weights in pair] for pair in pairs]


@pytest.mark.parametrize("norm_first", [False, True])
def test_attention_of_every_layer_on_request(make, batch, norm_first):
    """For encoder and decoder nothing else changes."""
    model = make(norm_first=norm_first)
    ids = batch[0]["source_ids"]
    targets = batch[0]["target_ids"]
    mask = padding_mask(ids)
    memory, weights = model.encoder(ids, mask, return_attention_scores=True)
    plain = numpy(model.encoder(ids, mask))
    np.testing.assert_allclose(numpy(memory), plain, atol=5e-6)
    assert shapes([weights]) == [[(3, 2, 11, 11)]]
    logits, pairs = model.decoder(targets, memory, mask, return_attention_scores=True)
    plain = numpy(model.decoder(targets, memory, mask))
    np.testing.assert_allclose(numpy(logits), plain, atol=5e-6)
    assert shapes(pairs) == [[(3, 2, 7, 7), (3, 2, 7, 11)]] * 2


def test_shapes_are_known_before_there_are_values(make):
    model = make()
    source = keras.KerasTensor((None, 11), dtype="int32")
    target = keras.KerasTensor((None, 7), dtype="int32")
    mask = keras.KerasTensor((None, 1, 11), dtype="bool")
    memory, weights = model.encoder(source, mask, return_attention_scores=True)
    assert memory.shape == (None, 11, 14)
    assert shapes([weights]) == [[(None, 2, 11, 11)]]
    logits, pairs = model.decoder(target, memory, mask, return_attention_scores=True)
    assert logits.shape == (None, 7, 19)
    assert shapes(pairs) == [[(None, 2, 7, 7), (None, 2, 7, 11)]] * 2


def test_a_shared_embedding_is_shared_when_it_is_loaded(make, batch, tmp_path):
    inputs, _, _ = batch
    config = make().config
    embedding = PositionalEmbedding(19, 14)
    ids = {name: keras.Input((None,), dtype="int32", name=name) for name in inputs}
    memory = Encoder(config, embedding)(ids["source_ids"])
    logits = Decoder(config, embedding)(ids["target_ids"], memory)
    model = randomise(keras.Model(ids, logits))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.count_params() == model.count_params() == config.parameters
    np.testing.assert_allclose(numpy(loaded(inputs)), numpy(model(inputs)), atol=1e-6)


def test_relative_positions_within_a_window(make, batch):
    """A window leaves out what a mask of the same positions does."""
    source_ids = batch[0]["source_ids"]
    options = dict(positions="relative", relative_buckets=4, relative_distance=5)
    near, plain = (make(**options, window=window).encoder for window in (3, None))
    distance = np.abs(np.arange(11)[:, None] - np.arange(11))
    seen = (distance < 3) & numpy(padding_mask(source_ids)).astype(bool)
    found = numpy(near(source_ids))
    expected = numpy(plain(source_ids, seen))
    np.testing.assert_allclose(found[0], expected[0], atol=5e-6)


def test_a_model_is_of_its_own_kind_of_config():
    with pytest.raises(ValueError, match="config must be a TransformerConfig"):
        Transformer(CausalLMConfig())
    with pytest.raises(ValueError, match="config must be a CausalLMConfig"):
        CausalLM(TransformerConfig())
