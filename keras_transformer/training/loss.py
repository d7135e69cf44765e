"""The label-smoothed loss, from ids."""

import keras
from keras import ops

from ..config import expect, expect_id, is_number, one_of
from ..layers.masks import broadcasts, implicit_mask


def negative_log_likelihood(labels, logits, smoothing=0.0):
    """Cross entropy of every position, in nats, smoothed without one-hot vectors.

        l[b, t] = log Z - (1 - smoothing) * z[y] - smoothing / V * sum_v z[v]

    with `z = logits[b, t]` and `y = labels[b, t]`. It is
    `-(1 - e) log p[y] - e / V sum_v log p[v]` without the log-probabilities `(B, T, V)`
    in memory. It is NaN where a label is not one of 0 to V - 1: a graph cannot raise.

    Args:
        labels: `(B, T)` integer ids.
        logits: `(B, T, V)`.
        smoothing: share e of the probability that is spread evenly over the V tokens.

    Returns:
        `(B, T)` float32.

    Raises:
        ValueError: if there is no position, or the shapes are not these; one-hot labels
            are not ids.

    Examples:
        >>> float(negative_log_likelihood(np.array([[1]]), np.zeros((1, 1, 4)))[0, 0])
        1.3862943649291992
    """
    labels, logits = as_tensors(labels, logits)
    logits = ops.cast(logits, "float32")
    classes = logits.shape[-1]
    labels = ops.expand_dims(ops.cast(labels, "int32"), axis=-1)
    # A comparison and not a gather: under TensorFlow a gather's gradient is a slow
    # scatter over all of (B, T, V).
    is_label = ops.equal(ops.arange(classes, dtype="int32"), labels)
    expected = ops.sum(ops.where(is_label, logits, 0.0), axis=-1)
    if smoothing:
        mean = ops.mean(logits, axis=-1)
        expected = (1.0 - smoothing) * expected + smoothing * mean
    labels = ops.squeeze(labels, axis=-1)
    is_class = ops.logical_and(labels >= 0, labels < classes)
    return ops.where(is_class, ops.logsumexp(logits, axis=-1) - expected, float("nan"))


def as_tensors(labels, logits):
    """The two as tensors; a `ValueError` unless they are `(B, T)` and `(B, T, V)`."""
    expect(labels is not None, "y_true", "be ids (B, T)", None)
    labels = ops.convert_to_tensor(labels)
    logits = ops.convert_to_tensor(logits)
    # Not `ops.shape`: in a graph it holds tensors, which are neither 0 nor not.
    shape = tuple(labels.shape)
    predicted = tuple(logits.shape)
    expect(len(predicted) == 3, "y_pred", "be logits (B, T, V)", predicted)
    expect(len(shape) == 2, "y_true", "be ids (B, T), not one-hot vectors", shape)
    holds_some = 0 not in predicted[1:]
    expect(holds_some, "y_pred", "hold at least one position and class", predicted)
    sizes = zip(shape, predicted)
    fits = all(None in (size, full) or size == full for size, full in sizes)
    what = "have the same rows and positions"
    expect(fits, "y_true and y_pred", what, [shape, predicted])
    if None in (*shape, *predicted[:2]):
        # A graph finds out later whether they fit.
        labels = ops.reshape(labels, ops.shape(logits)[:2])
    return labels, logits


@keras.saving.register_keras_serializable("keras_transformer")
class LabelSmoothedCrossEntropy(keras.losses.Loss):
    """Label-smoothed cross entropy, the mean over the real target tokens.

        loss = sum_bt w[b, t] l[b, t] / sum_bt w[b, t]

    The weights w are the sample weights, 1 when absent, and 0 where a label is
    `ignore_class`. A label of weight 0 may be any number.

    With `reduction="sum"` the loss is `sum_bt w[b, t] l[b, t]`. The weights that a
    batch of `TokenBatches` carries make it a mean: `w = real / number of real target
    tokens in the whole batch`. A sum of such terms stays exact when the batch is split
    over devices or micro-batches; `train` asks for it.

    Args:
        smoothing: 0.1 in the paper. See `negative_log_likelihood` for the formula.
        ignore_class: an id that does not count as a label, such as that of padding;
            none when absent.
        reduction: as in every Keras loss; by default the mean above.
        dtype: that of the loss, whatever the policy; half precision would round ids.

    Call arguments:
        y_true: `(B, T)` ids.
        y_pred: `(B, T, V)` logits.
        sample_weight: `(B, T)`, or `(B,)` for whole rows.

    Raises:
        ValueError: if smoothing is not in [0, 1), ignore_class is no id, dtype is half
            precision, or shapes are not these.

    Examples:
        >>> labels, logits = np.array([[1, 0]]), np.zeros((1, 2, 4))
        >>> float(LabelSmoothedCrossEntropy(ignore_class=0)(labels, logits))  # log 4
        1.3862943649291992

    Source: Vaswani et al. 2017, section 5.4; Szegedy et al. 2016.
    """

    def __init__(
        self,
        smoothing=0.1,
        ignore_class=None,
        reduction="mean_with_sample_weight",
        name="label_smoothed_cross_entropy",
        dtype="float32",
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        one_of("dtype", self.dtype, ("float32", "float64"))
        is_share = is_number(smoothing) and 0.0 <= smoothing < 1.0
        expect(is_share, "smoothing", "be at least 0 and below 1", smoothing)
        expect_id("ignore_class", ignore_class)
        self.smoothing = smoothing
        self.ignore_class = ignore_class

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = as_tensors(y_true, y_pred)
        weights = token_weights(y_true, y_pred, sample_weight, self.ignore_class)
        counts = ops.not_equal(weights, 0)
        y_true = ops.where(counts, y_true, ops.zeros_like(y_true))
        return super().__call__(y_true, y_pred, sample_weight=weights)

    def call(self, y_true, y_pred):
        return negative_log_likelihood(y_true, y_pred, self.smoothing)

    def get_config(self):
        config = super().get_config()
        config["smoothing"] = self.smoothing
        config["ignore_class"] = self.ignore_class
        return config


def token_weights(labels, logits, sample_weight=None, ignore_class=None):
    """The weight of each label, `(B, T)` float32.

    Args:
        labels: `(B, T)`.
        logits: those of the labels. What their implicit Keras mask leaves out has the
            weight 0.
        sample_weight: `(B, T)`, or `(B,)` for whole rows; 1 when absent.
        ignore_class: a label of weight 0; none when absent.

    Raises:
        ValueError: if sample_weight has another shape.
    """
    weights = ops.ones_like(labels, dtype="float32")
    if sample_weight is not None:
        given = ops.cast(ops.convert_to_tensor(sample_weight), "float32")
        received = tuple(given.shape)
        if len(received) == 1:
            given = ops.expand_dims(given, axis=1)
        fits = broadcasts(given.shape, labels.shape)
        what = f"be (B, T) or (B,), y_true being {tuple(labels.shape)}"
        expect(fits, "sample_weight", what, received)
        weights *= given
    if ignore_class is not None:
        weights *= ops.cast(ops.not_equal(labels, ignore_class), "float32")
    mask = implicit_mask(logits)
    if mask is not None:
        weights *= ops.cast(mask, "float32")
    return weights
