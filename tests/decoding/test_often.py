"""On TensorFlow: what XLA compiled gives what the graph gives, for every request."""

import dataclasses

import keras
import pytest
from layer_checks import some_slow

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding import compiled
from keras_transformer.decoding.translator import Translator

if keras.backend.backend() != "tensorflow":
    pytest.skip("of TensorFlow alone", allow_module_level=True)

CONFIG = DecodingConfig(beam=3, extra_length=3, batch_size=8)
SEARCHES = {
    "beam": CONFIG,
    "greedy": dataclasses.replace(CONFIG, search="greedy"),
    "sampling": dataclasses.replace(CONFIG, search="sampling", n_best=2, seed=3),
}
NEVER = 1 << 30


@pytest.mark.parametrize(
    "search", some_slow(["beam", "sampling", "greedy"], ["greedy"])
)
def test_two_requests_of_one_shape(model, tokenizer, sentences, monkeypatch, search):
    found = []
    for often in (NEVER, 0):
        monkeypatch.setattr(compiled, "OFTEN", often)
        translator = Translator(model, tokenizer, config=SEARCHES[search])
        rows = [translator.hypotheses(sentences(9, seed)) for seed in (1, 2)]
        found.append([best for row in rows for own in row for best in own])
    for plain, fast in zip(*found, strict=True):
        assert plain.ids == fast.ids
        assert plain.score == pytest.approx(fast.score, rel=3e-6)


def test_a_set_of_shapes_is_compiled_once_it_came_often(monkeypatch):
    monkeypatch.setattr(compiled, "OFTEN", 2)
    made = []
    by_xla = []

    def traced(function, autograph, jit_compile):
        by_xla.append(jit_compile)
        return plain(function, autograph=autograph, jit_compile=jit_compile)

    import tensorflow as tf

    plain = tf.function
    monkeypatch.setattr(tf, "function", traced)

    def double(x):
        made.append(x.shape)
        return (2 * x,)

    call = compiled.compiled(double, keras.Sequential())
    for rows in (3, 3, 4, 3, 3, 4, 4):
        (found,) = call(keras.ops.ones((rows, 5)))
        assert found.shape == (rows, 5) and float(found[0, 0]) == 2.0
    # Traced for any number of rows, and again for XLA with the third call of three.
    assert by_xla == [False, True]
    assert len(made) == 2
