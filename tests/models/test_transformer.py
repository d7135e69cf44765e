import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import other_backend
import pytest
from keras import ops
from layer_checks import numpy

import keras_transformer
from keras_transformer.config import TransformerConfig, preset
from keras_transformer.layers.masks import padding_mask
from keras_transformer.models.transformer import Transformer
from keras_transformer.training.loss import negative_log_likelihood

# Table 3 of the paper: changes to the base model, millions of body parameters.
TABLE_3 = [
    (dict(), 44.101632),
    *[
        (dict(num_heads=h, key_dim=512 // h, value_dim=512 // h), 44.101632)
        for h in (1, 4, 16, 32)
    ],
    (dict(key_dim=16), 37.024),
    (dict(key_dim=32), 39.383),
    (dict(encoder_layers=2, decoder_layers=2), 14.701),
    (dict(encoder_layers=4, decoder_layers=4), 29.401),
    (dict(encoder_layers=8, decoder_layers=8), 58.802),
    (dict(d_model=256, key_dim=32, value_dim=32), 17.345),
    (dict(d_model=1024, key_dim=128, value_dim=128), 125.927),
    (dict(d_ff=1024), 31.506),
    (dict(d_ff=4096), 69.292),
    *[(dict(dropout=rate), 44.101632) for rate in (0.0, 0.2)],
    (dict(positions="learned"), 44.101632),
]


@pytest.fixture
def body():
    """Counts the parameters but for the embedding matrix and the position table, of variables that are never filled."""

    def body(config):
        with keras.StatelessScope(initialize_variables=False):
            model = Transformer(config)
        assert model.count_params() == config.parameters
        return model.count_params() - model.encoder.embedding.count_params()

    yield body
    keras.utils.clear_session()  # else the next scope to close fills them


@pytest.mark.parametrize("changes, millions", TABLE_3)
def test_body_of_every_row_of_table_3(body, changes, millions):
    count = body(preset("base", source_vocab_size=11, target_vocab_size=11, **changes))
    assert round(count / 1e6, 3) == round(millions, 3)
    if millions == 44.101632:
        assert count == 44_101_632


def test_body_of_big(body):
    assert (
        round(body(preset("big", source_vocab_size=11, target_vocab_size=11)) / 1e6, 3)
        == 176.284
    )


def test_the_vocabulary_costs_one_matrix_if_shared(make):
    shared, apart = (
        make(),
        make(share_embeddings=False, source_vocab_size=23, target_vocab_size=29),
    )
    assert shared.encoder.embedding is shared.decoder.embedding
    assert apart.count_params() - shared.count_params() == (23 + 29 - 19) * 14
    assert [model.config.parameters for model in (shared, apart)] == [
        shared.count_params(),
        apart.count_params(),
    ]
    ids = {"source_ids": np.array([[22, 3]]), "target_ids": np.array([[2, 28, 20]])}
    assert apart(ids).shape == (1, 3, 29)


@pytest.mark.parametrize(
    "changes",
    [
        dict(norm_first=True, final_norm=False),
        dict(final_norm=True, embedding_norm=True, output_bias=True),
        dict(
            tie_output=False,
            output_bias=True,
            share_embeddings=False,
            source_vocab_size=23,
        ),
        dict(positions="learned", share_positions=False, max_positions=31),
        dict(
            positions="learned",
            share_positions=False,
            share_embeddings=False,
            max_positions=31,
        ),
        dict(
            positions="sinusoidal_fairseq",
            first_position=2,
            scale_embedding=False,
            attention_bias=True,
        ),
    ],
)
def test_parameters_of_every_switch(make, changes):
    model = make(**changes)
    assert model.count_params() == model.config.parameters
    assert Transformer.from_config(model.get_config()).config == model.config
    assert all(np.any(numpy(weight)) for weight in model.trainable_variables)


def test_what_the_switches_of_the_output_do(make, batch):
    """A bias is added to the logits; a matrix of its own is multiplied by; the norms normalise."""
    inputs, _, _ = batch
    tied, biased, untied = make(), make(output_bias=True), make(tie_output=False)
    bias, matrix = (
        np.arange(19, dtype="float32"),
        2 * numpy(tied.decoder.embedding.embeddings),
    )
    for model, name, value in (
        (biased, "output_bias", bias),
        (untied, "output_matrix", matrix),
    ):
        left = {weight.path: weight for weight in tied.weights}
        for weight in model.weights:
            weight.assign(left[weight.path] if weight.path in left else value)
        assert getattr(model.decoder, name).shape == value.shape
    expected = numpy(tied(inputs))
    np.testing.assert_allclose(numpy(biased(inputs)), expected + bias, atol=1e-5)
    np.testing.assert_allclose(numpy(untied(inputs)), 2 * expected, atol=1e-5)
    normed = make(final_norm=True).encoder
    normed.final_norm.set_weights([np.ones(14), np.zeros(14)])
    memory = numpy(normed(inputs["source_ids"], padding_mask(inputs["source_ids"])))
    np.testing.assert_allclose(memory.mean(axis=2), 0.0, atol=1e-5)
    np.testing.assert_allclose(memory.std(axis=2), 1.0, atol=1e-3)


def test_padding_is_what_the_config_says(make, batch):
    """Other ids of padding, begin and end: the same numbers; a begin token that is padding masks nothing."""
    inputs, labels, _ = batch
    theirs = {0: 18, 18: 0}
    model, other = make(), make(pad_id=18, begin_id=18)
    other.set_weights(model.get_weights())
    matrix = numpy(model.decoder.embedding.embeddings)
    swapped = matrix.copy()
    swapped[[0, 18]] = matrix[[18, 0]]
    other.decoder.embedding.embeddings.assign(swapped)
    again = {
        name: np.vectorize(lambda i: theirs.get(i, i))(ids).astype("int32")
        for name, ids in inputs.items()
    }
    found, expected = numpy(other(again)), numpy(model(inputs))
    found[..., [0, 18]] = found[..., [18, 0]]
    np.testing.assert_allclose(found[labels != 0], expected[labels != 0], atol=5e-6)


def test_config_and_dtype_survive_serialisation(make):
    model = make(
        dtype="mixed_bfloat16",
        norm_first=True,
        positions="learned",
        value_dim=13,
        attention_bias=True,
    )
    copy = Transformer.from_config(model.get_config())
    assert model.count_params() == model.config.parameters
    assert copy.config == model.config and isinstance(copy.config, TransformerConfig)
    assert (
        copy.get_config() == model.get_config()
        and copy.decoder.compute_dtype == "bfloat16"
    )
    assert [w.path for w in copy.weights] == [w.path for w in model.weights]


def test_plain_keras_and_nothing_around_it(batch, make, tmp_path):
    inputs, labels, weights = batch
    model, path = make(dropout=0.1), tmp_path / "model.keras"
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    before = [w.copy() for w in model.get_weights()]
    losses = model.fit(
        inputs, labels, sample_weight=weights, epochs=30, verbose=0
    ).history["loss"]
    assert losses[-1] < losses[0]
    assert all(np.any(old != new) for old, new in zip(before, model.get_weights()))
    model.save(path)
    loaded = keras.models.load_model(path)
    assert type(loaded) is Transformer and loaded.config == model.config
    assert all(
        np.array_equal(old, new)
        for old, new in zip(model.get_weights(), loaded.get_weights())
    )
    scores = [
        m.evaluate(inputs, labels, sample_weight=weights, verbose=0)
        for m in (model, loaded)
    ]
    np.testing.assert_allclose(*scores, atol=1e-6)
    loaded.fit(inputs, labels, sample_weight=weights, verbose=0)


BACKENDS = {"jax", "tensorflow", "torch"}


@pytest.mark.parametrize("other", sorted(BACKENDS - {keras.backend.backend()}))
def test_a_saved_file_means_the_same_to_every_backend(make, batch, tmp_path, other):
    """Logits within 1e-5, the optimizer's state to the bit."""
    pytest.importorskip(other)
    inputs, labels, weights = batch
    model, paths = (
        make(norm_first=True, attention_bias=True),
        [tmp_path / n for n in ("model.keras", "in.npz", "out.npz")],
    )
    model.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(inputs, labels, sample_weight=weights, epochs=2, verbose=0)
    model.save(paths[0])
    np.savez(paths[1], **inputs)
    home = Path(keras_transformer.__file__).parents[1]
    environment = {**os.environ, "KERAS_BACKEND": other, "PYTHONPATH": str(home)}
    subprocess.run(
        [sys.executable, other_backend.__file__, *paths], env=environment, check=True
    )

    here, there = other_backend.read(paths[0], inputs), np.load(paths[2])
    assert set(here) == set(there) and len(here) == 1 + 2 + 2 * len(
        model.trainable_variables
    )
    np.testing.assert_allclose(numpy(model(inputs)), there["logits"], atol=1e-5, rtol=0)
    for n, variable in enumerate(model.optimizer.variables):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(variable), here[f"state_{n}"]
        )
        np.testing.assert_array_equal(here[f"state_{n}"], there[f"state_{n}"])


@pytest.mark.parametrize("changes", [dict(), dict(norm_first=True, value_dim=13)])
def test_padding_changes_nothing(make, batch, changes):
    (inputs, labels, _), model = batch, make(**changes)
    longer = {name: np.pad(ids, ((0, 0), (0, 4))) for name, ids in inputs.items()}
    garbage = {
        **inputs,
        "target_ids": np.where(inputs["target_ids"] == 0, 7, inputs["target_ids"]),
    }
    logits, real = numpy(model(inputs)), labels != 0
    np.testing.assert_allclose(
        numpy(model(longer))[:, :7][real], logits[real], atol=5e-6
    )
    np.testing.assert_array_equal(numpy(model(garbage))[real], logits[real])
    alone = numpy(
        model(
            {
                "source_ids": inputs["source_ids"][1:2, :4],
                "target_ids": inputs["target_ids"][1:2],
            }
        )
    )
    np.testing.assert_allclose(alone[0], logits[1], atol=5e-6)


@pytest.mark.parametrize("value_dim", [5, 13])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_empty_and_one_token_sentences_are_finite(make, dtype, value_dim):
    model = make(dtype=dtype, value_dim=value_dim)
    inputs = {
        "source_ids": np.array([[0, 0], [3, 0]]),
        "target_ids": np.array([[2], [2]]),
    }
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(numpy(model(inputs))).all()
    assert np.isfinite(
        numpy(model({"source_ids": np.array([[3]]), "target_ids": np.array([[2]])}))
    ).all()
    # the filler row of a batch: real source, weight 0
    inputs["source_ids"][0, 0] = 3
    model.fit(
        inputs, np.array([[0], [3]]), sample_weight=np.array([[0.0], [1.0]]), verbose=0
    )
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_the_loss_is_scaled_in_float16(make):
    model = make(dtype="mixed_float16")
    model.compile(keras.optimizers.Adam(), keras.losses.MeanSquaredError())
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("norm_first", [False, True])
def test_mixed_bfloat16(make, batch, norm_first):
    inputs, labels, weights = batch

    def loss(dtype):
        logits = make(dtype=dtype, norm_first=norm_first)(inputs)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        return (numpy(negative_log_likelihood(labels, logits)) * weights).sum()

    exact = loss("float32")
    assert abs(loss("mixed_bfloat16") - exact) < 0.02 * exact
