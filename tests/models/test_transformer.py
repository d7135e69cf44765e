import keras
import numpy as np
import pytest
from layer_checks import NOT_ON_JAX, ON_TORCH, marked, numpy, whole

from keras_transformer.config import TransformerConfig, preset
from keras_transformer.models.transformer import Transformer
from keras_transformer.training.loss import negative_log_likelihood

BASE = 44_101_632
# Table 3 of the paper: changes to the base model, millions of body parameters.
TABLE_3 = [
    (dict(), BASE / 1e6),
    (dict(num_heads=1, key_dim=512, value_dim=512), BASE / 1e6),
    (dict(num_heads=4, key_dim=128, value_dim=128), BASE / 1e6),
    (dict(num_heads=16, key_dim=32, value_dim=32), BASE / 1e6),
    (dict(num_heads=32, key_dim=16, value_dim=16), BASE / 1e6),
    (dict(key_dim=16), 37.024),
    (dict(key_dim=32), 39.383),
    (dict(encoder_layers=2, decoder_layers=2), 14.701),
    (dict(encoder_layers=4, decoder_layers=4), 29.401),
    (dict(encoder_layers=8, decoder_layers=8), 58.802),
    (dict(d_model=256, key_dim=32, value_dim=32), 17.345),
    (dict(d_model=1024, key_dim=128, value_dim=128), 125.927),
    (dict(d_ff=1024), 31.506),
    (dict(d_ff=4096), 69.292),
    (dict(dropout=0.0), BASE / 1e6),
    (dict(dropout=0.2), BASE / 1e6),
    (dict(positions="learned"), BASE / 1e6),
]


@marked(ON_TORCH)
def test_body_of_every_row_of_table_3_and_of_big():
    """All parameters but the embedding matrix and the position table."""
    for name, changes, millions in (
        *[("base", *row) for row in TABLE_3],
        ("big", dict(), 176.284),
    ):
        config = preset(name, source_vocab_size=11, target_vocab_size=11, **changes)
        with keras.StatelessScope(initialize_variables=False):  # never filled
            model = Transformer(config)
        count = model.count_params()
        assert count == config.parameters, changes
        body = count - model.encoder.embedding.count_params()
        assert round(body / 1e6, 3) == round(millions, 3), changes
        assert changes or name != "base" or body == BASE
    keras.utils.clear_session()  # else the next scope to close fills them


@marked(ON_TORCH)
def test_the_vocabulary_costs_one_matrix_if_shared(make):
    shared = make()
    apart = make(share_embeddings=False, source_vocab_size=23, target_vocab_size=29)
    assert shared.encoder.embedding is shared.decoder.embedding
    assert apart.count_params() - shared.count_params() == (23 + 29 - 19) * 14
    for model in (shared, apart):
        assert model.config.parameters == model.count_params()
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
        dict(positions="none", window=3, gated=True, attention_bias=True),
    ],
)
def test_parameters_of_every_switch(make, changes):
    model = make(**changes)
    assert model.count_params() == model.config.parameters
    assert Transformer.from_config(model.get_config()).config == model.config
    assert all(np.any(numpy(weight)) for weight in model.trainable_variables)


def test_one_token_matrix_serves_two_position_tables(make):
    model = make(positions="learned", share_positions=False, max_positions=31)
    source = model.encoder.embedding
    target = model.decoder.embedding
    assert source.token_embedding is target.token_embedding
    assert source.position_table is not target.position_table


def copy_by_path(source, target):
    """Weights of one model into another; those that the first lacks are returned."""
    known = {weight.path: weight for weight in source.weights}
    for weight in target.weights:
        if weight.path in known:
            weight.assign(known[weight.path])
    return [weight for weight in target.weights if weight.path not in known]


@marked(ON_TORCH)
def test_what_the_switches_of_the_output_do(make, batch):
    """A bias is added to the logits; a matrix of its own is multiplied by."""
    inputs, _, _ = batch
    tied = make()
    expected = numpy(tied(inputs))
    biased = make(output_bias=True)
    (bias,) = copy_by_path(tied, biased)
    assert bias is biased.decoder.output_bias
    bias.assign(np.arange(19, dtype="float32"))
    np.testing.assert_allclose(numpy(biased(inputs)), expected + bias, atol=1e-5)
    untied = make(tie_output=False)
    (kernel,) = copy_by_path(tied, untied)
    assert kernel is untied.decoder.output_projection.kernel
    kernel.assign(2 * numpy(tied.decoder.embedding.token_embedding.embeddings).T)
    np.testing.assert_allclose(numpy(untied(inputs)), 2 * expected, atol=1e-5)


@marked(ON_TORCH)
def test_a_final_norm_normalises(make, batch):
    encoder = make(final_norm=True).encoder
    encoder.final_norm.set_weights([np.ones(14), np.zeros(14)])
    memory = numpy(encoder(batch[0]["source_ids"]))
    np.testing.assert_allclose(memory.mean(axis=2), 0.0, atol=1e-5)
    np.testing.assert_allclose(memory.std(axis=2), 1.0, atol=1e-3)


@marked(NOT_ON_JAX)
def test_padding_is_what_the_config_says(make, batch):
    """Other ids of padding, begin and end give the same numbers.

    A begin token that is padding masks nothing.
    """
    inputs, labels, _ = batch
    model = make()
    other = make(pad_id=18, begin_id=18)
    other.set_weights(model.get_weights())
    order = np.arange(19)
    order[[0, 18]] = order[[18, 0]]
    matrix = other.decoder.embedding.token_embedding.embeddings
    matrix.assign(numpy(matrix)[order])
    again = {name: order[ids].astype("int32") for name, ids in inputs.items()}
    real = labels != 0
    found = numpy(other(again))[..., order]
    np.testing.assert_allclose(found[real], numpy(model(inputs))[real], atol=5e-6)


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
    assert copy.get_config() == model.get_config()
    assert copy.decoder.compute_dtype == "bfloat16"
    assert [w.path for w in copy.weights] == [w.path for w in model.weights]


def test_plain_keras_and_nothing_around_it(batch, make, tmp_path):
    inputs, labels, weights = batch
    model = make(dropout=0.1, decoder_layers=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    before = [weight.copy() for weight in model.get_weights()]
    options = dict(sample_weight=weights, verbose=0)
    losses = model.fit(inputs, labels, epochs=15, **options).history["loss"]
    assert losses[-1] < losses[0]
    assert all(np.any(a != b) for a, b in zip(before, model.get_weights()))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is Transformer and loaded.config == model.config
    for old, new in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    expected = model.evaluate(inputs, labels, **options)
    found = loaded.evaluate(inputs, labels, **options)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    loaded.fit(inputs, labels, **options)


@pytest.mark.parametrize("changes", [dict(), dict(norm_first=True, value_dim=13)])
def test_padding_changes_nothing(make, batch, changes):
    inputs, labels, _ = batch
    model = make(**changes)
    call = whole(model, model)
    real = labels != 0
    logits = numpy(call(inputs))
    longer = {name: np.pad(ids, ((0, 0), (0, 4))) for name, ids in inputs.items()}
    found = numpy(call(longer))[:, :7]
    np.testing.assert_allclose(found[real], logits[real], atol=5e-6)
    targets = inputs["target_ids"]
    garbage = {**inputs, "target_ids": np.where(targets == 0, 7, targets)}
    np.testing.assert_array_equal(numpy(call(garbage))[real], logits[real])
    source = inputs["source_ids"][1:2, :4]
    alone = numpy(call({"source_ids": source, "target_ids": targets[1:2]}))
    np.testing.assert_allclose(alone[0], logits[1], atol=5e-6)


@pytest.mark.parametrize("value_dim", [5, 13])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_padding_alone_and_one_token_sentences_are_finite(make, dtype, value_dim):
    model = make(dtype=dtype, value_dim=value_dim, decoder_layers=1)
    source_ids = np.array([[0, 0], [3, 0]])
    inputs = {"source_ids": source_ids, "target_ids": np.array([[2], [2]])}
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    call = whole(model, model)
    assert np.isfinite(numpy(call(inputs))).all()
    one = {"source_ids": np.array([[3]]), "target_ids": np.array([[2]])}
    assert np.isfinite(numpy(call(one))).all()
    source_ids[0, 0] = 3  # the filler row of a batch: real source, weight 0
    labels = np.array([[0], [3]])
    weights = np.array([[0.0], [1.0]])
    model.fit(inputs, labels, sample_weight=weights, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize("empty", ["source_ids", "target_ids"])
def test_a_sentence_without_positions_is_refused(make, batch, empty):
    inputs = {**batch[0], empty: np.zeros((3, 0), "int32")}
    with pytest.raises(ValueError, match="must hold at least one position"):
        make()(inputs)


@marked(ON_TORCH)
def test_no_sentences(make, batch):
    inputs = {name: ids[:0] for name, ids in batch[0].items()}
    assert tuple(make()(inputs).shape)[:2] == inputs["target_ids"].shape


def test_the_loss_is_scaled_in_float16(make):
    model = make(dtype="mixed_float16")
    model.compile(keras.optimizers.Adam(), keras.losses.MeanSquaredError())
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize("norm_first", [False, True])
def test_mixed_bfloat16(make, batch, norm_first):
    inputs, labels, weights = batch

    def loss(dtype):
        model = make(dtype=dtype, norm_first=norm_first)
        logits = whole(model, model)(inputs)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        return (numpy(negative_log_likelihood(labels, logits)) * weights).sum()

    exact = loss("float32")
    assert abs(loss("mixed_bfloat16") - exact) < 0.02 * exact


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_lora_is_a_sum_that_is_saved_in_float32(make, batch, tmp_path, dtype):
    inputs, _, _ = batch
    model = make(dtype=dtype)
    before = numpy(model(inputs))
    model.enable_lora(2)
    np.testing.assert_array_equal(numpy(model(inputs)), before)  # B is zero
    expand = model.encoder.blocks[0].feed_forward.expand
    expand.lora_kernel_a.assign(expand.lora_kernel_a * 0 + 0.25)
    expand.lora_kernel_b.assign(expand.lora_kernel_b * 0 + 0.5)
    kernel = numpy(expand._kernel)
    model.save(tmp_path / "model.keras")
    assert expand.compute_dtype == dtype.removeprefix("mixed_")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = loaded.encoder.blocks[0].feed_forward.expand
    # Two products of 1/4 and 1/2.
    np.testing.assert_allclose(numpy(found.kernel), kernel + 0.25, atol=1e-7)
    assert len(loaded.weights) == len(make().weights)
    assert len(loaded.trainable_weights) == len(loaded.weights)


def test_lora_trains_two_matrices_a_kernel(make):
    """Beside attention's kernels and feed-forward's, and nothing else."""
    model = make()
    config = model.config
    heads = config.num_heads * config.key_dim
    attentions = config.encoder_layers + 2 * config.decoder_layers
    blocks = config.encoder_layers + config.decoder_layers
    expected = 4 * attentions * (config.d_model + heads) * 3
    expected += 2 * blocks * (config.d_model + config.d_ff) * 3
    model.enable_lora(3)
    assert sum(np.prod(one.shape) for one in model.trainable_variables) == expected
    assert len(model.trainable_variables) == 2 * (4 * attentions + 2 * blocks)
    with pytest.raises(ValueError, match="the model must have no LoRA yet; received"):
        model.enable_lora(3)
    assert len(model.trainable_variables) == 2 * (4 * attentions + 2 * blocks)
    for rank in (0, config.d_model + 1):
        message = f"lora_rank must be between 1 and d_model={config.d_model}; received"
        with pytest.raises(ValueError, match=message):
            make().enable_lora(rank)
