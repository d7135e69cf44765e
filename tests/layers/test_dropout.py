import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import gradient, numpy

from keras_transformer.layers.dropout import Dropout

SHAPES = [(40, 50, 21), (40_000, 1), (30_001,)]


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.9])
@pytest.mark.parametrize("shape", SHAPES)
def test_keeps_what_chance_says_and_the_mean(shape, rate):
    found = numpy(Dropout(rate)(np.ones(shape, "float32"), training=True))
    kept = 1.0 - rate
    np.testing.assert_allclose(found[found != 0], 1 / kept, rtol=1e-4)
    share = np.mean(found != 0)
    assert abs(share - kept) < 5 * np.sqrt(rate * kept / found.size)


def test_neighbours_do_not_know_of_each_other():
    rows = 2000
    width = 32
    rate = 0.3
    y = numpy(Dropout(rate)(np.ones((rows, width), "float32"), training=True))
    found = np.corrcoef((y != 0).T)
    np.fill_diagonal(found, 0)
    assert np.abs(found).max() < 5 / np.sqrt(rows)


def test_each_call_draws_anew_and_a_seed_of_keras_decides():
    x = np.ones((30, 20), "float32")

    def draws():
        keras.utils.set_random_seed(3)
        layer = Dropout(0.5)
        return [numpy(layer(x, training=True)) for _ in range(2)]

    first, second = draws()
    assert np.mean(first != second) > 0.4
    assert all(map(np.array_equal, draws(), (first, second)))


def test_the_slope_is_that_of_what_is_kept():
    x = np.ones((30, 20), "float32")

    def total(x):
        keras.utils.set_random_seed(3)
        return ops.sum(Dropout(0.25)(x, training=True))

    keras.utils.set_random_seed(3)
    expected = numpy(Dropout(0.25)(x, training=True))
    np.testing.assert_allclose(gradient(total, x), expected, rtol=1e-6)
    assert {0.0} < {*expected.ravel()}


@pytest.mark.parametrize(
    "options", [dict(rate=0.0), dict(rate=1.0), dict(rate=1e-7), dict(rate=0.5)]
)
def test_what_drops_nothing_or_all(options):
    x = np.ones((3, 5), "float32")
    layer = Dropout(**options)
    np.testing.assert_array_equal(numpy(layer(x)), x)
    if options["rate"] != 0.5:
        expected = x * (options["rate"] < 1)
        found = numpy(layer(x, training=True))
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("options", [dict(seed=7), dict(noise_shape=(3, 1))])
def test_kerass_options_are_kerass(options):
    x = np.ones((3, 5), "float32")
    found = []
    for kind in (Dropout, keras.layers.Dropout):
        keras.utils.set_random_seed(3)
        found.append(numpy(kind(0.5, **options)(x, training=True)))
    np.testing.assert_array_equal(*found)


def test_half_precision_stays():
    layer = Dropout(0.5, dtype="mixed_bfloat16")
    y = layer(np.ones((3, 5), "float32"), training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert {*np.unique(numpy(y))} <= {0.0, 2.0}


def test_a_model_of_unknown_batch_trains():
    model = keras.Sequential([keras.Input((7,)), Dropout(0.5), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((6, 7), "float32")
    model.fit(x, np.ones((6, 1)), batch_size=4, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()
