"""Batches that TensorFlow reads without a thread that tunes their pipeline."""

import inspect

import keras
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter


class UntunedBatches(PyDatasetAdapter):
    """What Keras reads a `PyDataset` by, for TensorFlow.

    The thread by which `tf.data` tunes a pipeline sleeps longer each time, up to a
    minute. The end of an epoch wakes it, but TensorFlow says so a moment after: in one
    epoch of three the thread sleeps on, and the epoch ends when it wakes up by itself.
    """

    def get_tf_dataset(self):
        import tensorflow as tf

        options = tf.data.Options()
        options.autotune.enabled = False
        return super().get_tf_dataset().with_options(options)


def untuned(data, shuffle=False):
    """A `PyDataset` as `UntunedBatches` on TensorFlow; anything else as it is.

    Args:
        data: what `fit`, `evaluate` or `predict` takes.
        shuffle: whether the batches of each epoch come in another order.
    """
    is_tensorflow = keras.backend.backend() == "tensorflow"
    if is_tensorflow and isinstance(data, keras.utils.PyDataset):
        return UntunedBatches(data, shuffle=shuffle)
    return data


def arguments_untuned(name, args, kwargs):
    """All arguments of `fit`, `evaluate` or `predict` by name, with `untuned` data."""
    bound = inspect.signature(getattr(keras.Model, name)).bind(None, *args, **kwargs)
    bound.apply_defaults()
    _, *given = bound.arguments.items()  # without `self`
    given = dict(given)
    given |= given.pop("kwargs", {})
    # Keras refuses targets or weights beside a `PyDataset`, and nobody would then.
    if given.get("y") is None and given.get("sample_weight") is None:
        given["x"] = untuned(given["x"], given.get("shuffle", False))
    if "validation_data" in given:
        given["validation_data"] = untuned(given["validation_data"])
    return given
