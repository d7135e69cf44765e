import keras
import numpy as np
from layer_checks import numpy

from keras_transformer.layers.one_pass import in_one_pass


def shifted(x, y):
    return x * 2.0 + y


def test_the_function_is_the_same_to_who_calls_it():
    x = np.ones((2, 3), "float32")
    y = np.full((2, 3), 5.0, "float32")
    np.testing.assert_array_equal(numpy(in_one_pass(shifted)(x, y)), 2 * x + y)
    assert in_one_pass(shifted) is in_one_pass(shifted)


def test_xla_fuses_under_tensorflow_on_processors_alone(monkeypatch):
    is_tensorflow = keras.backend.backend() == "tensorflow"
    assert (in_one_pass.__wrapped__(shifted) is shifted) != is_tensorflow
    if is_tensorflow:
        import tensorflow as tf

        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [kind])
        assert in_one_pass.__wrapped__(shifted) is shifted
