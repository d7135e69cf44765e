import numpy as np
import pytest

from keras_transformer.training.metrics import (
    Perplexity,
    TokenAccuracy,
    TokenCrossEntropy,
)

METRICS = [TokenCrossEntropy, Perplexity, TokenAccuracy]


def batches():
    """Two batches with padding: labels, logits and weights.

    The weights are scaled by different numbers of tokens, and by what they amount to.
    """
    random = np.random.default_rng(3)
    for labels, scale in (
        ([[4, 3, 0], [5, 0, 0]], 1 / 3),
        ([[4, 4, 4, 4, 4, 3]], 2 / 6),
    ):
        labels = np.array(labels)
        logits = random.normal(size=(*labels.shape, 7)).astype("float32")
        logits[0, :2, labels[0, 0]] += 9.0
        yield labels, logits, ((labels != 0) * scale).astype("float32")


@pytest.mark.parametrize("ignored", [None, 0])
def test_exact_over_batches_without_padding(ignored):
    nats = []
    right = []
    metrics = [kind(ignore_class=ignored) for kind in METRICS]
    for labels, logits, weights in batches():
        z = logits.astype("float64")
        chosen = np.take_along_axis(z, labels[..., None], -1)[..., 0]
        losses = np.log(np.exp(z).sum(-1)) - chosen
        nats += losses[weights > 0].tolist()
        right += (logits.argmax(-1) == labels)[weights > 0].tolist()
        given = weights if ignored is None else None
        for metric in metrics:
            metric.update_state(labels, logits, sample_weight=given)
    assert len(nats) == 9 and 0 < np.mean(right) < 1
    expected = [np.mean(nats), np.exp(np.mean(nats)), np.mean(right)]
    found = [float(metric.result()) for metric in metrics]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    for metric in metrics:
        metric.reset_state()
        assert int(metric.count) == 0
        copy = type(metric).from_config(metric.get_config())
        assert (copy.name, copy.ignore_class) == (metric.name, ignored)


def test_more_tokens_than_an_int32_counts():
    metric = TokenCrossEntropy()
    for _ in range(5):
        metric.add(2.0**30, 2**30)
    metric.add(2.0**30, 7)
    assert float(metric.result()) == pytest.approx(6 / 5)


@pytest.mark.parametrize("metric", METRICS)
def test_what_lies_in_padding_does_not_matter(metric):
    labels, logits, weights = next(batches())
    values = []
    for filler in (0.0, np.nan):
        found = metric()
        filled = np.where(weights[..., None] > 0, logits, filler)
        found.update_state(labels, filled, sample_weight=weights)
        values.append(float(found.result()))
    assert values[0] == values[1]


def test_rows_may_be_weighted_and_without_weights_every_position_counts():
    labels = np.array([[1, 0], [0, 0]])
    logits = np.array([[[0.0, 1.0]] * 2] * 2)
    for weights, expected in ((None, 0.25), ([1.0, 0.0], 0.5), ([0.0, 2.0], 0.0)):
        metric = TokenAccuracy()
        metric.update_state(labels, logits, sample_weight=weights)
        assert float(metric.result()) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_one_hot_labels_are_refused(metric):
    with pytest.raises(ValueError, match=r"y_true must be ids .* received \(2, 2, 2\)"):
        metric().update_state(np.ones((2, 2, 2)), np.ones((2, 2, 2)))
