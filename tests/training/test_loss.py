import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import gradient, numpy

from keras_transformer.training.loss import LabelSmoothedCrossEntropy

B, T, V = 3, 5, 7
LABELS = np.array([[4, 6, 3, 0, 0], [5, 5, 5, 5, 3], [3, 0, 0, 0, 0]])
REAL = (LABELS != 0).astype("float64")


def reference(logits, weights, smoothing):
    """Loss of each position and gradient of the weighted sum, with one-hot vectors, in float64."""
    z = logits.astype("float64")
    log_p = z - z.max(-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    target = (1 - smoothing) * np.eye(V)[LABELS] + smoothing / V
    return -(target * log_p).sum(-1), weights[..., None] * (np.exp(log_p) - target)


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_loss_and_gradient_equal_float64(smoothing, scale):
    logits = (np.random.default_rng(1).normal(size=(B, T, V)) * scale).astype("float32")
    weights = REAL / REAL.sum()
    losses, slope = reference(logits, weights, smoothing)
    loss = LabelSmoothedCrossEntropy(smoothing)
    weights = weights.astype("float32")
    assert float(loss(LABELS, logits, sample_weight=weights)) == pytest.approx(
        (losses * REAL).sum() / 9, rel=1e-5
    )

    found = gradient(lambda x: loss(LABELS, x + 0.0, sample_weight=weights), logits)
    np.testing.assert_allclose(found, slope, atol=1e-6, rtol=3e-5)
    assert not found[REAL == 0].any()  # padding has no gradient at all


def test_reductions():
    logits = np.random.default_rng(2).normal(size=(B, T, V)).astype("float32")
    losses, _ = reference(logits, REAL, 0.1)
    every = LabelSmoothedCrossEntropy(reduction="none")(LABELS, logits)
    assert every.shape == (B, T)
    np.testing.assert_allclose(numpy(every), losses, atol=1e-5)
    mean = LabelSmoothedCrossEntropy(reduction="mean_with_sample_weight")
    weights = REAL.astype("float32")
    assert float(mean(LABELS, logits, sample_weight=weights)) == pytest.approx(
        (losses * REAL).sum() / 9, rel=1e-5
    )


def test_half_precision_logits_are_summed_in_float32():
    logits = ops.cast(np.linspace(-3, 3, B * T * V).reshape(B, T, V), "bfloat16")
    losses, _ = reference(numpy(logits), REAL, 0.1)
    np.testing.assert_allclose(
        numpy(LabelSmoothedCrossEntropy(reduction="none")(LABELS, logits)),
        losses,
        atol=1e-5,
    )


def test_configuration():
    loss = LabelSmoothedCrossEntropy.from_config(
        LabelSmoothedCrossEntropy(0.3).get_config()
    )
    assert loss.smoothing == 0.3 and loss.reduction == "mean_with_sample_weight"
    for smoothing in (-0.1, 1.0):
        with pytest.raises(
            ValueError,
            match=f"smoothing must be at least 0 and below 1; received {smoothing}",
        ):
            LabelSmoothedCrossEntropy(smoothing)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="has such graphs")
def test_a_graph_of_unknown_sizes():
    import tensorflow as tf

    loss = LabelSmoothedCrossEntropy()
    rows = [tf.TensorSpec((None, None), "int32"), tf.TensorSpec((None, None, V))]
    found = tf.function(loss, input_signature=rows)(LABELS, np.zeros((B, T, V)))
    assert float(found) == pytest.approx(np.log(V), rel=1e-5)
