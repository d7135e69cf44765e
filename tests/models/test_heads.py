"""Encoders with heads are Keras models: inputs by name, padding, `fit`, `save`."""

import keras
import numpy as np
import pytest
from layer_checks import ON_TORCH, marked, numpy, randomise

from keras_transformer import (
    Encoder,
    EncoderConfig,
    encoder_model,
    mask_tokens,
    masked_language_model,
    sequence_classifier,
    span_classifier,
    token_classifier,
)

CONFIG = EncoderConfig(
    vocab_size=31,
    num_layers=2,
    d_model=14,
    d_ff=22,
    num_heads=2,
    token_types=2,
    embedding_norm=True,
    activation="gelu_tanh",
    positions="learned",
    max_positions=17,
    dropout=0.0,
)
IDS = np.array([[2, 5, 7, 11, 3], [2, 9, 3, 0, 0], [2, 8, 8, 3, 0]], "int32")
TYPES = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0], [0, 1, 1, 1, 0]], "int32")
INPUTS = {"token_ids": IDS, "token_types": TYPES}


def pooled_model(encoder):
    return encoder_model(encoder, keras.layers.Dense(14, "tanh", name="pooler"))


def three_classes(encoder):
    return sequence_classifier(encoder, 3)


def four_classes(encoder):
    return token_classifier(encoder, 4)


MODELS = {
    "encoder": (encoder_model, (3, 5, 14)),
    "pooled": (pooled_model, (3, 14)),
    "sequence": (three_classes, (3, 3)),
    "tokens": (four_classes, (3, 5, 4)),
    "span": (span_classifier, (3, 2, 5)),
    "masked": (masked_language_model, (3, 5, 31)),
}


def output_of(model, inputs=INPUTS):
    found = model(inputs)
    return numpy(found["pooled"] if isinstance(found, dict) else found)


@marked(ON_TORCH)
@pytest.mark.parametrize("name", ["sequence", "tokens"])
def test_a_head_has_the_encoders_policy_and_not_the_global_one(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    make, _ = MODELS[name]
    model = make(Encoder(CONFIG, dtype="float32"))
    assert {layer.dtype_policy.name for layer in model.layers[2:]} == {"float32"}


@pytest.mark.parametrize("name", MODELS)
def test_saved_copied_and_called(tmp_path, name):
    make, shape = MODELS[name]
    model = randomise(make(Encoder(CONFIG)))
    found = output_of(model)
    assert found.shape == shape and found.dtype == "float32"
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for other in (again, copy):
        assert other.count_params() == model.count_params()
        np.testing.assert_allclose(output_of(other), found, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_padding_changes_nothing(name):
    make, _ = MODELS[name]
    model = randomise(make(Encoder(CONFIG)))
    found = output_of(model)
    longer = {key: np.pad(x, ((0, 0), (0, 4))) for key, x in INPUTS.items()}
    others = output_of(model, longer)
    if name in ("encoder", "tokens", "masked"):
        found = found[IDS != 0]
        others = others[:, :5][IDS != 0]
    elif name == "span":
        assert (others[:, :, 5:] < -1e8).all() and (found[1, :, 3:] < -1e8).all()
        others = others[:, :, :5]
    np.testing.assert_allclose(others, found, atol=2e-6)


def test_token_types_count_and_are_zeros_when_absent():
    encoder = Encoder(CONFIG)
    randomise(encoder_model(encoder))
    plain = numpy(encoder(IDS))
    zeros = numpy(encoder(IDS, token_types=np.zeros_like(IDS)))
    np.testing.assert_array_equal(plain, zeros)
    assert np.abs(numpy(encoder(IDS, token_types=TYPES)) - plain).max() > 1e-3
    assert encoder.count_params() == CONFIG.parameters
    without = Encoder(EncoderConfig(vocab_size=31, d_model=14, num_heads=2))
    message = "token_types must be absent without token_types in the config; received"
    with pytest.raises(ValueError, match=message):
        without(IDS, token_types=TYPES)


def test_hidden_tokens_are_found_by_the_embedding():
    front = keras.layers.Dense(14)
    message = "encoder must have an embedding of its own; received"
    with pytest.raises(ValueError, match=message):
        masked_language_model(Encoder(CONFIG, front))


def test_an_encoder_that_is_frozen_alone_stays_so(tmp_path):
    for make in (three_classes, masked_language_model):
        encoder = Encoder(CONFIG)
        encoder.trainable = False
        model = make(encoder)
        number = len(model.trainable_variables)
        assert number < len(encoder.weights)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert len(loaded.trainable_variables) == number


def test_a_classifier_has_classes():
    message = "classes must be at least 1; received 0"
    for make in (sequence_classifier, token_classifier):
        with pytest.raises(ValueError, match=message):
            make(Encoder(CONFIG), 0)


@marked(ON_TORCH)
def test_half_precision_gives_float32_logits():
    for make in (three_classes, four_classes, span_classifier, masked_language_model):
        model = make(Encoder(CONFIG, dtype="mixed_bfloat16"))
        assert keras.backend.standardize_dtype(model(INPUTS).dtype) == "float32"
        assert {weight.dtype for weight in model.weights} == {"float32"}


def sentences(rows, seed):
    """Sentences in which each token but the first is the one before it plus one."""
    random = np.random.default_rng(seed)
    first = random.integers(5, 12, (rows, 1))
    ids = first + np.arange(8)
    ids[:, 6:] = np.where(first % 2, 0, ids[:, 6:])
    return ids.astype("int32")


@marked(ON_TORCH)
def test_a_masked_language_model_learns():
    config = EncoderConfig(
        vocab_size=21, num_layers=1, d_model=24, d_ff=32, num_heads=2, dropout=0.0
    )
    keras.utils.set_random_seed(0)
    model = masked_language_model(Encoder(config))
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    model.compile(keras.optimizers.Adam(0.01), loss)
    ids = sentences(512, seed=1)
    special = (0, 1, 2, 3, 4)
    seen, labels, weights = mask_tokens(ids, 4, 21, special, seed=2)
    batch = dict(x={"token_ids": seen}, y=labels, sample_weight=weights)
    before = model.evaluate(**batch, batch_size=64, verbose=0)
    model.fit(**batch, batch_size=64, epochs=12, verbose=0)
    # Where a token is hidden, its neighbours say what it is.
    after = model.evaluate(**batch, batch_size=64, verbose=0)
    assert after < 0.5 < 2.0 < before
    # The matrix of the logits is that of the embedding, and learned as one.
    assert sum(weight.shape == (21, 24) for weight in model.weights) == 1
