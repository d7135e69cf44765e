"""The label-smoothed loss, from ids."""

import keras
from keras import ops


def negative_log_likelihood(labels, logits, smoothing=0.0):
    """Cross entropy of every position, in nats, with the target probability smoothed by ids and not by one-hot vectors.

        l[b, t] = log Z - (1 - smoothing) * z[y] - smoothing / V * sum_v z[v]        z = logits[b, t], y = labels[b, t]

    which is `-(1 - e) log p[y] - e / V sum_v log p[v]` without the log-probabilities
    `(B, T, V)` in memory.

    Args:
        labels: `(B, T)` integer ids.
        logits: `(B, T, V)`.
        smoothing: share e of the probability that is spread evenly over the V tokens.

    Returns:
        `(B, T)` float32.

    Example:
        >>> float(negative_log_likelihood(np.array([[1]]), np.zeros((1, 1, 4)))[0, 0])  # log 4
        1.3862943649291992
    """
    logits = ops.cast(logits, "float32")
    labels = ops.expand_dims(ops.cast(labels, "int32"), axis=-1)
    # A comparison and not a gather: under TensorFlow a gather's gradient is a slow
    # scatter over all of (B, T, V).
    expected = ops.sum(
        ops.where(ops.arange(logits.shape[-1]) == labels, logits, 0.0), axis=-1
    )
    if smoothing:
        expected = (1.0 - smoothing) * expected + smoothing * ops.mean(logits, axis=-1)
    return ops.logsumexp(logits, axis=-1) - expected


@keras.saving.register_keras_serializable("keras_transformer")
class LabelSmoothedCrossEntropy(keras.losses.Loss):
    """Label-smoothed cross entropy per real target token: `loss = sum_bt w[b, t] l[b, t]`.

    The weights that a batch carries make it a mean: `w = real / number of real target
    tokens in the whole batch`, as `TokenBatches` gives them. A sum of such terms stays
    exact when the batch is split over devices or micro-batches. With weights of 0 and
    1, pass `reduction="mean_with_sample_weight"`: it divides by their sum.

    Args:
        smoothing: 0.1 in the paper. See `negative_log_likelihood` for the formula.
        reduction: as in every Keras loss.

    Call arguments:
        y_true: `(B, T)` ids. y_pred: `(B, T, V)` logits. sample_weight: `(B, T)`.

    Raises:
        ValueError: if smoothing is not in [0, 1).

    Example:
        >>> labels, logits, weights = np.array([[1, 0]]), np.zeros((1, 2, 4)), np.array([[1.0, 0.0]])
        >>> float(LabelSmoothedCrossEntropy()(labels, logits, sample_weight=weights))  # log 4
        1.3862943649291992

    Source: Vaswani et al. 2017, section 5.4; Szegedy et al. 2016.
    """

    def __init__(
        self,
        smoothing=0.1,
        reduction="sum",
        name="label_smoothed_cross_entropy",
        **kwargs,
    ):
        super().__init__(name=name, reduction=reduction, **kwargs)
        if not 0.0 <= smoothing < 1.0:
            raise ValueError(
                f"smoothing must be at least 0 and below 1; received {smoothing!r}"
            )
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        return negative_log_likelihood(y_true, y_pred, self.smoothing)

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}
