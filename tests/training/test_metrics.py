import numpy as np
import pytest

from keras_transformer.training.metrics import (
    Perplexity,
    TokenAccuracy,
    TokenCrossEntropy,
)


def batches():
    """Two batches with padding, whose weights are scaled by different numbers of tokens; what they amount to."""
    random = np.random.default_rng(3)
    for labels, scale in (
        ([[4, 3, 0], [5, 0, 0]], 1 / 3),
        ([[4, 4, 4, 4, 4, 3]], 2 / 6),
    ):
        labels = np.array(labels)
        logits = random.normal(size=(*labels.shape, 7)).astype("float32")
        logits[0, :2, labels[0, 0]] += 9.0
        yield labels, logits, ((labels != 0) * scale).astype("float32")


def test_exact_over_batches_without_padding():
    nats, right = [], []
    metrics = TokenCrossEntropy(), Perplexity(), TokenAccuracy()
    for labels, logits, weights in batches():
        z = logits.astype("float64")
        log_p = np.take_along_axis(z, labels[..., None], -1)[..., 0] - np.log(
            np.exp(z).sum(-1)
        )
        nats += (-log_p[weights > 0]).tolist()
        right += (logits.argmax(-1) == labels)[weights > 0].tolist()
        for metric in metrics:
            metric.update_state(labels, logits, sample_weight=weights)
    assert len(nats) == 9 and 0 < np.mean(right) < 1
    expected = np.mean(nats), np.exp(np.mean(nats)), np.mean(right)
    np.testing.assert_allclose(
        [float(metric.result()) for metric in metrics], expected, rtol=1e-6
    )
    for metric in metrics:
        metric.reset_state()
        assert int(metric.count) == 0
        assert type(metric).from_config(metric.get_config()).name == metric.name


@pytest.mark.parametrize("metric", [TokenCrossEntropy, Perplexity, TokenAccuracy])
def test_what_lies_in_padding_does_not_matter(metric):
    labels, logits, weights = next(batches())
    values = []
    for filler in (0.0, np.nan):
        found = metric()
        found.update_state(
            labels,
            np.where(weights[..., None] > 0, logits, filler),
            sample_weight=weights,
        )
        values.append(float(found.result()))
    assert values[0] == values[1]


def test_without_weights_every_position_counts():
    metric = TokenAccuracy()
    metric.update_state(np.array([[1, 0]]), np.array([[[0.0, 1.0], [0.0, 1.0]]]))
    assert float(metric.result()) == 0.5
