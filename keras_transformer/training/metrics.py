"""What is reported: per real target token, whatever the batch's weights are scaled by."""

import keras
from keras import ops

from keras_transformer.training.loss import negative_log_likelihood


class MeanOverTokens(keras.metrics.Metric):
    """The mean of a value over the positions whose weight is above 0. Pass such metrics as `weighted_metrics`."""

    def __init__(self, name=None, dtype="float32", **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)
        # Counted in integers: a float32 sum of ones stops growing at 2^24 tokens.
        self.total = self.add_weight(name="total", initializer="zeros")
        self.count = self.add_weight(name="count", initializer="zeros", dtype="int32")

    def value(self, y_true, y_pred):
        """`(B, T)`: what is averaged."""
        raise NotImplementedError

    def update_state(self, y_true, y_pred, sample_weight=None):
        value = self.value(y_true, y_pred)
        real = (
            ops.ones_like(value, dtype="bool")
            if sample_weight is None
            else ops.greater(sample_weight, 0.0)
        )
        self.total.assign_add(ops.sum(ops.where(real, value, 0.0)))
        self.count.assign_add(ops.sum(ops.cast(real, "int32")))

    def result(self):
        return self.total / ops.maximum(ops.cast(self.count, "float32"), 1.0)


@keras.saving.register_keras_serializable("keras_transformer")
class TokenCrossEntropy(MeanOverTokens):
    """Cross entropy in nats per real target token, not smoothed.

    Example:
        >>> metric = TokenCrossEntropy()
        >>> metric.update_state(np.array([[1, 0]]), np.zeros((1, 2, 4)), sample_weight=np.array([[0.5, 0.0]]))
        >>> round(float(metric.result()), 4)  # log 4
        1.3863
    """

    def __init__(self, name="nats", **kwargs):
        super().__init__(name=name, **kwargs)

    def value(self, y_true, y_pred):
        return negative_log_likelihood(y_true, y_pred)


@keras.saving.register_keras_serializable("keras_transformer")
class Perplexity(TokenCrossEntropy):
    """`exp(cross entropy in nats per real target token)`."""

    def __init__(self, name="perplexity", **kwargs):
        super().__init__(name=name, **kwargs)

    def result(self):
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("keras_transformer")
class TokenAccuracy(MeanOverTokens):
    """Share of the real target tokens to which the model gives the highest probability."""

    def __init__(self, name="accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def value(self, y_true, y_pred):
        return ops.cast(
            ops.equal(ops.argmax(y_pred, axis=-1), ops.cast(y_true, "int32")), "float32"
        )
