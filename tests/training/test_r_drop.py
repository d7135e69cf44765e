import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import gradient

from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.r_drop import RDropCrossEntropy

B, T, V = 6, 5, 7  # three pairs of rows
LABELS = np.repeat([[4, 6, 3, 0, 0], [5, 5, 5, 5, 3], [3, 0, 0, 0, 0]], 2, axis=0)
LOGITS = np.random.default_rng(2).normal(size=(B, T, V)).astype("float32")


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def test_worked_by_hand():
    """Of p = (1/2, 1/2) and q = (4/5, 1/5): both divergences are 3/10 log 4."""
    logits = np.array([[[0.0, 0.0]], [[np.log(4.0), 0.0]]])
    labels = np.zeros((2, 1), "int32")
    cross_entropy = (np.log(2) - np.log(0.8)) / 2
    expected = cross_entropy + 5 / 4 * 0.3 * np.log(4)
    loss = RDropCrossEntropy(5.0, smoothing=0.0)
    assert float(loss(labels, logits)) == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx(0.9780, abs=1e-4)


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
def test_it_is_the_papers_by_half(reduction):
    """With the divergences written out, in float64; padding does not count."""
    log_p, log_q = np.split(
        log_softmax(LOGITS.astype("float64").reshape(3, 2, T, V)), 2, 1
    )
    forth = (np.exp(log_p) * (log_p - log_q)).sum(-1)
    back = (np.exp(log_q) * (log_q - log_p)).sum(-1)
    real = LABELS != 0
    plain = LabelSmoothedCrossEntropy(0.1, ignore_class=0, reduction=reduction)
    both = float(plain(LABELS, LOGITS))
    total = (2 * (forth + back)[:, 0] * real[0::2] / 4).sum()
    if reduction != "sum":
        total /= real.sum()
    loss = RDropCrossEntropy(3.0, 0.1, ignore_class=0, reduction=reduction)
    assert float(loss(LABELS, LOGITS)) == pytest.approx(both + 3 * total, rel=1e-5)


def test_two_equal_passes_are_one():
    logits = np.repeat(LOGITS[0::2], 2, axis=0)
    loss = RDropCrossEntropy(5.0, ignore_class=0)
    plain = LabelSmoothedCrossEntropy(ignore_class=0)
    expected = float(plain(LABELS[0::2], LOGITS[0::2]))
    assert float(loss(LABELS, logits)) == pytest.approx(expected, rel=1e-6)


def test_its_gradient_brings_the_passes_together():
    divergence = RDropCrossEntropy(1000.0, ignore_class=0, reduction="sum")

    def of_logits(x):
        return divergence(LABELS, x + 0.0)

    nearer = LOGITS - 1e-5 * gradient(of_logits, LOGITS)

    def apart(logits):
        return np.abs(log_softmax(logits[0::2]) - log_softmax(logits[1::2]))[:, 0].sum()

    assert apart(nearer) < apart(LOGITS)


def test_half_precision_is_computed_in_full():
    loss = RDropCrossEntropy(5.0, ignore_class=0)
    half = ops.cast(LOGITS, "bfloat16")
    full = ops.convert_to_numpy(ops.cast(half, "float32"))
    assert float(loss(LABELS, half)) == float(loss(LABELS, full))


def test_rows_that_are_not_the_same_sentence():
    loss = RDropCrossEntropy(5.0)
    swapped = LABELS[[0, 2, 1, 3, 4, 5]]
    assert np.isnan(float(loss(swapped, LOGITS)))
    with pytest.raises(ValueError, match=r"y_true must have each row twice; received"):
        loss(LABELS[:5], LOGITS[:5])
    with pytest.raises(ValueError, match="alpha must be at least 0; received -1"):
        RDropCrossEntropy(-1)


def test_saved_and_loaded():
    loss = RDropCrossEntropy(3.0, 0.2, ignore_class=0, reduction="sum")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    assert (again.alpha, again.smoothing, again.ignore_class) == (3.0, 0.2, 0)
