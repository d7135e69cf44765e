"""A call that fails or is interrupted leaves a model as it was.

Keras does so on the other backends by itself.
"""

import keras
import numpy as np
import pytest

from keras_transformer import Transformer, compile_for_training, preset

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="JAX alone takes values out of variables"
)
INPUTS = {"source_ids": np.full((8, 3), 5), "target_ids": np.full((8, 2), 6)}
LABELS = np.full((8, 2), 7)
TOO_WIDE = np.full((8, 3), 7)
ERROR = "must have the same rows and positions"


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C after the first batch."""

    def on_test_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt

    def on_predict_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def model():
    sizes = dict(source_vocab_size=40, target_vocab_size=40)
    model = compile_for_training(Transformer(preset("tiny", **sizes)))
    model.fit(INPUTS, LABELS, verbose=0)
    return model


def batches():
    """One batch that can be learnt, and one that cannot."""
    yield INPUTS, LABELS
    yield INPUTS, TOO_WIDE


def must_be(model, weights):
    for own, kept in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(own, kept)


def test_labels_that_do_not_fit(model):
    before = model.get_weights()
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=ERROR):
            call(INPUTS, TOO_WIDE, verbose=0)
        must_be(model, before)


def test_an_interrupt(model):
    before = model.get_weights()
    options = dict(batch_size=2, verbose=0, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        model.evaluate(INPUTS, LABELS, **options)
    must_be(model, before)
    with pytest.raises(KeyboardInterrupt):
        model.predict(INPUTS, **options)
    must_be(model, before)


def test_what_was_learnt_before_an_error_stays(model):
    before = model.get_weights()
    with pytest.raises(ValueError, match=ERROR):
        model.fit(batches(), verbose=0)
    pairs = zip(model.get_weights(), before, strict=True)
    assert any(np.any(own != kept) for own, kept in pairs)
    # Nothing of the failed call comes back later.
    model.set_weights(before)
    with pytest.raises(ValueError, match=ERROR):
        model.fit(INPUTS, TOO_WIDE, verbose=0)
    must_be(model, before)
