"""Metrics per real target token, whatever the weights are scaled by."""

import keras
from keras import ops

from ..config import expect_id
from .loss import as_tensors, negative_log_likelihood, token_weights

BLOCK = 2**20  # tokens that are counted as one


class MeanOverTokens(keras.metrics.Metric):
    """The mean of a value over the real target tokens, those whose weight is above 0.

    Pass such metrics as `weighted_metrics`.

    Args:
        ignore_class: a label that does not count, such as padding; none when absent.
    """

    shown_as = "mean"  # in the logs
    averages = None  # the name of its total in `FusedLoss`

    def __init__(self, name=None, dtype="float32", ignore_class=None, **kwargs):
        super().__init__(name=name or self.shown_as, dtype=dtype, **kwargs)
        expect_id("ignore_class", ignore_class)
        self.ignore_class = ignore_class
        self.total = self.add_weight(name="total", initializer="zeros")
        # In integers: a float32 sum of ones stops growing at 2^24 tokens. In two: an
        # int32 is full at 2^31, and JAX has no larger one.
        self.count = self.add_weight(name="count", initializer="zeros", dtype="int32")
        self.blocks = self.add_weight(name="blocks", initializer="zeros", dtype="int32")

    def value(self, y_true, y_pred):
        """The values to average, `(B, T)`."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = as_tensors(y_true, y_pred)
        weights = token_weights(y_true, y_pred, sample_weight, self.ignore_class)
        counts = ops.greater(weights, 0.0)
        # A label that does not count may be any number.
        value = self.value(ops.where(counts, y_true, ops.zeros_like(y_true)), y_pred)
        total = ops.sum(ops.where(counts, value, 0.0))
        self.add(total, ops.sum(ops.cast(counts, "int32")))

    def add(self, total, count):
        """Take in the sum of the values of `count` more tokens."""
        count = self.count + count
        self.total.assign_add(total)
        self.count.assign(count % BLOCK)
        self.blocks.assign_add(count // BLOCK)

    def result(self):
        blocks = ops.cast(self.blocks, "float32")
        count = BLOCK * blocks + ops.cast(self.count, "float32")
        return self.total / ops.maximum(count, 1.0)

    def get_config(self):
        return {**super().get_config(), "ignore_class": self.ignore_class}


@keras.saving.register_keras_serializable("keras_transformer")
class TokenCrossEntropy(MeanOverTokens):
    """Cross entropy in nats per real target token, not smoothed.

    Examples:
        >>> metric = TokenCrossEntropy(ignore_class=0)
        >>> metric.update_state(np.array([[1, 0]]), np.zeros((1, 2, 4)))
        >>> round(float(metric.result()), 4)  # log 4
        1.3863
    """

    shown_as = "nats"
    averages = "nats"

    def value(self, y_true, y_pred):
        return negative_log_likelihood(y_true, y_pred)


@keras.saving.register_keras_serializable("keras_transformer")
class Perplexity(TokenCrossEntropy):
    """`exp(cross entropy in nats per real target token)`."""

    shown_as = "perplexity"

    def result(self):
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("keras_transformer")
class TokenAccuracy(MeanOverTokens):
    """Share of the real target tokens that the model finds the most probable."""

    shown_as = "accuracy"
    averages = "accuracy"

    def value(self, y_true, y_pred):
        best = ops.argmax(y_pred, axis=-1)
        return ops.cast(ops.equal(best, ops.cast(y_true, best.dtype)), "float32")
