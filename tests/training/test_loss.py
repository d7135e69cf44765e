import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import gradient, numpy

from keras_transformer.layers.positional_embedding import PositionalEmbedding
from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.metrics import TokenAccuracy, TokenCrossEntropy
from keras_transformer.training.r_drop import RDropCrossEntropy

B, T, V = 3, 5, 7
LABELS = np.array([[4, 6, 3, 0, 0], [5, 5, 5, 5, 3], [3, 0, 0, 0, 0]])
REAL = (LABELS != 0).astype("float32")
ROWS = np.array([2.0, 0.0, 1.0], "float32")


def some_logits(seed=2, scale=1.0):
    logits = np.random.default_rng(seed).normal(size=(B, T, V)) * scale
    return logits.astype("float32")


def reference(logits, weights, smoothing=0.1):
    """Loss of each position, and gradient of the weighted sum.

    They come from one-hot vectors, in float64.
    """
    z = logits.astype("float64")
    log_p = z - z.max(-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    target = (1 - smoothing) * np.eye(V)[LABELS] + smoothing / V
    return -(target * log_p).sum(-1), weights[..., None] * (np.exp(log_p) - target)


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6])
def test_loss_and_gradient_equal_float64(smoothing, scale):
    logits = some_logits(seed=1, scale=scale)
    shares = REAL / REAL.sum()
    losses, slope = reference(logits, shares, smoothing)
    loss = LabelSmoothedCrossEntropy(smoothing, reduction="sum")
    found = float(loss(LABELS, logits, sample_weight=shares))
    assert found == pytest.approx((losses * REAL).sum() / 9, rel=1e-5)

    def of_logits(x):
        return loss(LABELS, x + 0.0, sample_weight=shares)

    found = gradient(of_logits, logits)
    np.testing.assert_allclose(found, slope, atol=1e-6, rtol=3e-5)
    assert not found[REAL == 0].any()  # padding has no gradient at all


@pytest.mark.parametrize(
    "ignored, given, weights",
    [
        (None, None, np.ones((B, T))),
        (None, REAL, REAL),
        (0, None, REAL),
        (None, ROWS, ROWS[:, None] * np.ones((B, T))),
        (0, ROWS, ROWS[:, None] * REAL),
        (3, REAL * 5.0, REAL * (LABELS != 3)),
    ],
)
def test_the_default_is_the_mean_over_what_counts(ignored, given, weights):
    losses, _ = reference(some_logits(), REAL)
    loss = LabelSmoothedCrossEntropy(ignore_class=ignored)
    found = float(loss(LABELS, some_logits(), sample_weight=given))
    expected = (losses * weights).sum() / weights.sum()
    assert found == pytest.approx(expected, rel=1e-5)


def test_reductions():
    losses, _ = reference(some_logits(), REAL)
    every = LabelSmoothedCrossEntropy(reduction="none")(LABELS, some_logits())
    assert every.shape == (B, T)
    np.testing.assert_allclose(numpy(every), losses, atol=1e-5)
    total = LabelSmoothedCrossEntropy(reduction="sum", ignore_class=0)
    found = float(total(LABELS, some_logits()))
    assert found == pytest.approx((losses * REAL).sum(), rel=1e-5)


def test_half_precision_logits_are_summed_in_float32():
    logits = ops.cast(np.linspace(-3, 3, B * T * V).reshape(B, T, V), "bfloat16")
    losses, _ = reference(numpy(logits), REAL)
    found = LabelSmoothedCrossEntropy(reduction="none")(LABELS, logits)
    np.testing.assert_allclose(numpy(found), losses, atol=1e-5)


@pytest.mark.parametrize("kind", [LabelSmoothedCrossEntropy, RDropCrossEntropy])
def test_every_label_is_kept_under_a_half_precision_default(kind):
    labels = np.full((2, 1), 3001)
    logits = 40.0 * np.eye(3002, dtype="float32")[labels]
    keras.config.set_floatx("bfloat16")
    try:
        loss = kind(smoothing=0.0)
    finally:
        keras.config.set_floatx("float32")
    assert float(loss(labels, logits)) == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(ValueError, match="dtype must be one of float32, float64; rec"):
        kind(dtype="float16")


def fitted(batch_size, loss=None, accumulation=None, sample_weight=None, rate=0.0):
    """The history's loss and the weights after an epoch over 64 rows of own arrays."""
    ids = np.random.default_rng(0).integers(1, V, size=(64, T))
    labels = (ids * 3) % V
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((T,)), keras.layers.Embedding(V, V)])
    optimizer = keras.optimizers.SGD(rate, gradient_accumulation_steps=accumulation)
    model.compile(optimizer, loss or LabelSmoothedCrossEntropy())
    options = dict(batch_size=batch_size, shuffle=False, verbose=0)
    history = model.fit(ids, labels, sample_weight=sample_weight, **options)
    return history.history["loss"][0], model.get_weights()[0]


def test_the_scale_is_the_same_whatever_the_batch():
    expected = np.log(V)
    for batch_size in (4, 16, 64):
        loss, _ = fitted(batch_size)
        assert loss == pytest.approx(expected, abs=0.05)
    tokens = np.random.default_rng(1).integers(0, 2, size=(64, T)).astype("float32")
    for weights in (3.0 * tokens, 3.0 * np.ones(64)):
        loss, _ = fitted(16, sample_weight=weights)
        assert loss == pytest.approx(expected, abs=0.05)
    loss, _ = fitted(16, LabelSmoothedCrossEntropy(ignore_class=3))
    assert loss == pytest.approx(expected, abs=0.05)


def test_accumulated_batches_are_one_large_batch():
    loss, together = fitted(64, rate=1.0)
    same_loss, accumulated = fitted(16, accumulation=4, rate=1.0)
    assert same_loss == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(accumulated, together, atol=1e-6)
    _, untouched = fitted(64)
    assert np.abs(together - untouched).max() > 0.01


@pytest.mark.parametrize("label", [-1, V, -100])
def test_a_label_that_is_no_class_is_nan_unless_it_does_not_count(label):
    labels = np.where(LABELS == 0, label, LABELS)
    for reduction in ("mean_with_sample_weight", "sum"):
        loss = LabelSmoothedCrossEntropy(reduction=reduction)
        assert np.isnan(float(loss(labels, some_logits())))
    expected = float(LabelSmoothedCrossEntropy(ignore_class=0)(LABELS, some_logits()))
    ignoring = LabelSmoothedCrossEntropy(ignore_class=label)
    assert float(ignoring(labels, some_logits())) == pytest.approx(expected, rel=1e-6)
    weighted = LabelSmoothedCrossEntropy()(labels, some_logits(), sample_weight=REAL)
    assert float(weighted) == pytest.approx(expected, rel=1e-6)


def test_a_batch_in_which_nothing_counts_has_no_loss():
    loss = LabelSmoothedCrossEntropy(ignore_class=0)
    assert float(loss(np.zeros((B, T)), some_logits())) == 0.0


@pytest.mark.parametrize(
    "labels, logits, weights, message",
    [
        ((B, T, V), (B, T, V), None, r"y_true must be ids .* received \(3, 5, 7\)"),
        ((B, T, V), (B, T, V), (B, T), r"y_true must be ids .* received \(3, 5, 7\)"),
        ((B,), (B, T, V), None, r"y_true must be ids .* received \(3,\)"),
        ((B, T), (B, V), None, r"y_pred must be logits .* received \(3, 7\)"),
        ((B, 0), (B, 0, V), None, r"at least one position .* received \(3, 0, 7\)"),
        ((B, T), (B, 6, V), None, r"same rows and pos.*\(3, 5\), \(3, 6, 7\)"),
        ((B, T), (B, T, V), (B, T, 1), r"sample_weight .* received \(3, 5, 1\)"),
        ((B, T), (B, T, V), (), r"sample_weight .* received \(\)"),
        ((B, T), (B, T, V), (T,), r"sample_weight .* received \(5,\)"),
        ((B, T), (B, T, V), (B, T + 1), r"sample_weight .* received \(3, 6\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_name(labels, logits, weights, message):
    weights = None if weights is None else np.ones(weights, "float32")
    loss = LabelSmoothedCrossEntropy()
    with pytest.raises(ValueError, match=message):
        loss(np.ones(labels), np.ones(logits, "float32"), sample_weight=weights)


def test_what_an_implicit_mask_leaves_out_does_not_count():
    """In the loss and in the metrics; its labels may be any number."""
    embedding = PositionalEmbedding(V, 6, mask_zero=True)
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, keras.layers.Dense(V)(embedding(inputs)))
    metrics = [TokenCrossEntropy(), TokenAccuracy()]
    model.compile("sgd", LabelSmoothedCrossEntropy(0.0), weighted_metrics=metrics)
    ids = np.array([[3, 4, 0, 0], [5, 3, 4, 0]])
    real = (ids != 0).astype("float32")
    found = model.evaluate(ids, np.where(ids, ids, -100), verbose=0)
    np.testing.assert_allclose(
        found, model.evaluate(ids, ids, sample_weight=real, verbose=0)
    )
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only its graphs know no sizes"
)
def test_labels_are_not_repeated_where_a_graph_knows_no_sizes():
    import tensorflow as tf

    spec = tf.TensorSpec((None, None))
    logits = tf.TensorSpec((None, None, V))
    loss = tf.function(LabelSmoothedCrossEntropy(), input_signature=[spec, logits])
    values = np.ones((B, T, V), "float32")
    assert np.isfinite(loss(np.ones((B, T), "float32"), values))
    with pytest.raises(tf.errors.InvalidArgumentError, match="reshape"):
        loss(np.ones((B, 1), "float32"), values)


def test_configuration():
    loss = LabelSmoothedCrossEntropy(0.3, ignore_class=5, reduction="sum")
    copy = LabelSmoothedCrossEntropy.from_config(loss.get_config())
    assert copy.get_config() == loss.get_config()
    assert (copy.smoothing, copy.ignore_class, copy.reduction) == (0.3, 5, "sum")
    for smoothing in (-0.1, 1.0, "0.1"):
        message = f"smoothing must be at least 0 and below 1; received {smoothing!r}"
        with pytest.raises(ValueError, match=message):
            LabelSmoothedCrossEntropy(smoothing)
