import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import check_layer, gradient, normal, numpy, randomise

from keras_transformer.layers.positional_embedding import PositionalEmbedding

V, D = 23, 14
IDS = np.random.default_rng(0).integers(0, V, size=(3, 5))


@pytest.mark.parametrize("positions", ["sinusoidal", "sinusoidal_halves", "learned"])
def test_exam(positions):
    check_layer(
        lambda **options: PositionalEmbedding(
            V, D, positions, max_positions=7, **options
        ),
        IDS,
    )


def test_exam_of_fairseqs_positions():
    options = dict(positions="sinusoidal_fairseq", first_position=2, scale=False)
    check_layer(lambda **more: PositionalEmbedding(V, D, **options, **more), IDS)


def test_fairseqs_table_begins_at_two_and_ends_at_a_rate_of_a_ten_thousandth():
    rates = 10000.0 ** (-np.arange(D // 2) / (D // 2 - 1))
    angles = np.arange(2.0, 52.0)[:, None] * rates
    assert rates[-1] == 1e-4
    table = PositionalEmbedding(V, D, "sinusoidal_fairseq", first_position=2).encode(
        np.arange(50)[None]
    )
    np.testing.assert_allclose(
        numpy(table)[0],
        np.concatenate([np.sin(angles), np.cos(angles)], axis=1),
        atol=1e-5,
    )


def test_a_token_that_stands_still():
    """Whatever its place, its row has no gradient; the others have."""
    layer = PositionalEmbedding(V, D, frozen_id=7)
    layer.build()
    ids = np.array([[7, 3], [5, 7]])

    def loss(matrix):
        with keras.StatelessScope(
            state_mapping=[
                (layer.token_embedding.embeddings, 1.0 * ops.convert_to_tensor(matrix))
            ]
        ):
            return ops.sum(
                ops.multiply(layer(ids), ops.convert_to_tensor(normal(2, 2, D)))
            )

    slope = gradient(loss, normal(V, D))
    assert np.flatnonzero(np.any(slope, axis=1)).tolist() == [3, 5]


def test_two_layers_share_the_tokens_and_not_the_positions():
    options = dict(positions="learned", max_positions=5, scale=False)
    first = PositionalEmbedding(V, D, **options)
    first.build()
    second = PositionalEmbedding(V, D, **options, token_embedding=first.token_embedding)
    second.build()
    randomise(first)
    second.position_table.assign(normal(5, D))
    difference = numpy(second(IDS)) - numpy(first(IDS))
    tables = numpy(second.position_table) - numpy(first.position_table)
    np.testing.assert_allclose(difference, np.tile(tables, (3, 1, 1)), atol=1e-6)
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, first(ids) + second(ids))
    assert model.count_params() == (V + 2 * 5) * D


def test_two_layers_share_the_tokens_when_they_are_loaded(tmp_path):
    tokens = keras.layers.ReversibleEmbedding(V, D)
    ids = keras.Input((None,), dtype="int32")
    both = [PositionalEmbedding(V, D, token_embedding=tokens) for _ in range(2)]
    model = keras.Model(ids, both[0](ids) * both[1](ids))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(IDS)), numpy(model(IDS)), atol=1e-6)
    assert loaded.count_params() == V * D


def test_a_shared_layer_is_in_the_configuration():
    tokens = keras.layers.ReversibleEmbedding(V, D)
    layer = PositionalEmbedding(V, D, token_embedding=tokens)
    config = PositionalEmbedding.from_config(layer.get_config()).get_config()
    assert config["token_embedding"]["class_name"] == "ReversibleEmbedding"
    own = PositionalEmbedding(V, D)
    own.build()
    assert own.get_config()["token_embedding"] is None


def test_float_ids_are_cast():
    layer = PositionalEmbedding(4001, D, dtype="mixed_bfloat16")
    ids = np.array([[3999, 4000]])
    np.testing.assert_array_equal(numpy(layer(ids)), numpy(layer(ids * 1.0)))


def test_an_empty_sequence_gives_an_empty_result():
    assert tuple(PositionalEmbedding(V, D)(IDS[:, :0]).shape) == (3, 0, D)


def test_by_hand():
    layer = PositionalEmbedding(3, 4)
    layer.build()
    layer.token_embedding.embeddings.assign(np.arange(12.0).reshape(3, 4))
    # sqrt(4) [8, 9, 10, 11] + [0, 1, 0, 1], then 2 [4, 5, 6, 7] + [sin 1, cos 1, sin
    # 0.01, cos 0.01]
    expected = [[16.0, 19.0, 20.0, 23.0], [8.841471, 10.540302, 12.01, 14.99995]]
    np.testing.assert_allclose(numpy(layer(np.array([[2, 1]])))[0], expected, atol=1e-5)
    np.testing.assert_allclose(
        numpy(layer.project(np.array([[[1.0, 0, 0, 2.0]]]))),
        [[[6.0, 18.0, 30.0]]],
        atol=1e-5,
    )


def test_the_papers_table():
    angles = np.arange(512.0)[:, None] / 10000 ** (2 * np.arange(D // 2) / D)
    table = numpy(PositionalEmbedding(V, D).encode(np.arange(512)[None]))[0]
    np.testing.assert_allclose(table[:, 0::2], np.sin(angles), atol=5e-5)
    np.testing.assert_allclose(table[:, 1::2], np.cos(angles), atol=5e-5)
    halves = numpy(
        PositionalEmbedding(V, D, "sinusoidal_halves").encode(np.arange(512)[None])
    )[0]
    np.testing.assert_array_equal(
        halves, np.concatenate([table[:, 0::2], table[:, 1::2]], axis=1)
    )


@pytest.mark.parametrize("wrong", [-1, -V, V])
def test_ids_that_no_token_has_are_no_other_token(wrong):
    """They are refused, or NaN on JAX, which cannot refuse a value."""
    layer = PositionalEmbedding(V, D)
    ids = np.array([[4, wrong]])
    if keras.backend.backend() != "jax":
        with pytest.raises(Exception, match="(?i)index|indices"):
            layer(ids)
        return
    assert np.isnan(numpy(layer(ids))[0]).all(axis=1).tolist() == [False, True]


def test_learned_table():
    layer = PositionalEmbedding(V, D, "learned", max_positions=5)
    layer.build()
    layer.position_table.assign(normal(5, D))
    layer.token_embedding.embeddings.assign(np.zeros((V, D)))
    np.testing.assert_allclose(numpy(layer(IDS))[1], normal(5, D), atol=1e-6)


@pytest.mark.parametrize("positions", ["sinusoidal", "sinusoidal_halves", "learned"])
def test_index_shifts_the_positions(positions):
    layer = PositionalEmbedding(V, D, positions)
    for index in (2, ops.convert_to_tensor(2, dtype="int32")):
        np.testing.assert_allclose(
            numpy(layer(IDS[:, 2:], index=index)), numpy(layer(IDS))[:, 2:], atol=1e-6
        )


def test_begins_with_variance_one():
    layer = PositionalEmbedding(1009, 62)
    layer.build()
    tokens = numpy(
        layer(np.arange(1009)[:, None]) - layer.encode(np.zeros((1, 1), "int32"))
    )
    assert 0.98 < tokens.std() < 1.02


def test_all_positions_differ_in_half_precision():
    layer = PositionalEmbedding(V, 512, dtype="mixed_bfloat16")
    ids = np.full((1, 512), 3)
    table = layer.encode(np.arange(512)[None])
    rows = layer(ids)
    assert keras.backend.standardize_dtype(table.dtype) == "float32"
    assert keras.backend.standardize_dtype(rows.dtype) == "bfloat16"
    assert len(np.unique(numpy(table)[0], axis=0)) == 512
    assert len(np.unique(numpy(rows)[0], axis=0)) == 512
    # what the rule guards against: bfloat16 has no odd number above 256
    assert len(np.unique(numpy(ops.cast(np.arange(512), "bfloat16")))) < 512


def test_output_is_computed_in_float32_and_cast_last():
    full = PositionalEmbedding(V, 64)
    half = PositionalEmbedding(V, 64, dtype="mixed_bfloat16")
    full.build()
    half.build()
    half.set_weights(randomise(full).get_weights())
    ids = np.full((1, 512), 3)
    np.testing.assert_array_equal(
        numpy(half(ids)), numpy(ops.cast(full(ids), "bfloat16"))
    )


def test_logits_are_float32():
    layer = PositionalEmbedding(V, D, dtype="mixed_bfloat16")
    logits = layer.project(layer(IDS))
    assert (
        logits.shape == (3, 5, V)
        and keras.backend.standardize_dtype(logits.dtype) == "float32"
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            (V, D, "rotary"),
            r"positions must be one of .*, learned, none; received 'rotary'",
        ),
        ((0, D), "vocab_size must be at least 1; received 0"),
        ((V, 0), "d_model must be at least 1; received 0"),
        ((V, D, "learned", 0), "max_positions must be at least 1; received 0"),
        (
            (V, D, "learned", 5, 2),
            "first_position must be 0 with positions='learned'; received 2",
        ),
        ((V, 7), "d_model must be even and at least 2 with .*'sinusoidal'; received 7"),
        (
            (V, 2, "sinusoidal_fairseq"),
            "d_model must be even and at least 4 with .*sinusoidal_.*received 2",
        ),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        PositionalEmbedding(*arguments)


@pytest.mark.parametrize("rows", [1, 21, 22])
def test_few_and_many_vectors_have_the_same_logits(rows):
    """Up to 64 are another product on PyTorch."""
    layer = PositionalEmbedding(V, D)
    layer.build()
    x = normal(rows, 3, D)
    expected = x @ numpy(layer.token_embedding.embeddings).T
    np.testing.assert_allclose(numpy(layer.project(x)), expected, atol=1e-5)
    found = numpy(layer.project(ops.convert_to_tensor(x)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("options", [{"tie_weights": False}, {"logit_soft_cap": 0.5}])
def test_logits_of_a_token_embedding_that_does_more(options):
    """Its own call makes them, and a loss is not made of states."""
    tokens = keras.layers.ReversibleEmbedding(V, D, **options)
    layer = PositionalEmbedding(V, D, token_embedding=tokens)
    layer.build()
    x = ops.convert_to_tensor(normal(1, 2, D))
    found = numpy(layer.project(x))
    np.testing.assert_allclose(found, numpy(tokens(x, reverse=True)), atol=1e-6)
    assert np.abs(found - numpy(x) @ numpy(tokens.embeddings).T).max() > 0.01
    assert not layer.has_plain_projection


def test_a_token_embedding_of_other_sizes():
    tokens = keras.layers.ReversibleEmbedding(V, D + 2)
    message = rf"token_embedding must have .*d_model=14; received \({V}, 16\)"
    with pytest.raises(ValueError, match=message):
        PositionalEmbedding(V, D, token_embedding=tokens)


def test_ids_of_one_sentence_alone_are_refused():
    with pytest.raises(
        ValueError, match=r"ids must have two axes \(B, T\); received \(5,\)"
    ):
        PositionalEmbedding(V, D)(np.arange(5))


def test_longer_than_the_learned_table():
    message = "ids must hold at most max_positions=3 positions; received 5"
    with pytest.raises(ValueError, match=message):
        PositionalEmbedding(V, D, "learned", max_positions=3)(IDS)
