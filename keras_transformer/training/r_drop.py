"""R-Drop: two passes of a sentence through a model with dropout should agree."""

import keras
from keras import ops

from ..config import expect, is_number
from .loss import LabelSmoothedCrossEntropy


@keras.saving.register_keras_serializable("keras_transformer")
class RDropCrossEntropy(LabelSmoothedCrossEntropy):
    """Label-smoothed cross entropy of two passes, and how far the two are apart.

        loss = (l1 + l2) / 2 + alpha / 4 (KL(p1 || p2) + KL(p2 || p1))

    at each real target token, with `l1` and `l2` of `LabelSmoothedCrossEntropy`. It is
    half of the paper's, and so of the size of a plain loss. Each row stands twice in a
    batch, one beside the other, as `TokenBatches(passes=2)` gives them and
    `numpy.repeat(array, 2, axis=0)` makes them: dropout is drawn for each row. Repeat
    the rows of validation data, too. The loss is NaN where two rows that should be one
    have other labels: a graph cannot raise.

    Args:
        alpha: the weight of the divergence; 5 in the paper for translation.
        **kwargs: those of `LabelSmoothedCrossEntropy`.

    Raises:
        ValueError: if alpha is no number of at least 0, or the rows are odd.

    Examples:
        >>> labels = np.repeat([[1, 3]], 2, axis=0)
        >>> logits = np.zeros((2, 2, 4))
        >>> float(RDropCrossEntropy(alpha=5.0)(labels, logits))  # log 4
        1.3862943649291992

    Source: Liang et al. 2021, "R-Drop: Regularized Dropout for Neural Networks".
    """

    def __init__(self, alpha=5.0, *args, name="r_drop_cross_entropy", **kwargs):
        super().__init__(*args, name=name, **kwargs)
        expect(is_number(alpha), "alpha", "be a number", alpha)
        expect(0 <= alpha < float("inf"), "alpha", "be at least 0", alpha)
        self.alpha = alpha

    def call(self, y_true, y_pred):
        check_twice(y_true)
        logits = ops.cast(y_pred, "float32")
        one = ops.log_softmax(logits[0::2], axis=-1)
        other = ops.log_softmax(logits[1::2], axis=-1)
        terms = (ops.exp(one) - ops.exp(other)) * (one - other)
        divergence = ops.sum(terms, axis=-1)
        are_equal = ops.equal(y_true[0::2], y_true[1::2])
        divergence = ops.where(are_equal, divergence, float("nan"))
        penalty = self.alpha / 4 * ops.repeat(divergence, 2, axis=0)
        return super().call(y_true, y_pred) + penalty

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha}


def check_twice(labels):
    """Raise a `ValueError` if labels `(B, T)` are of an odd number of rows."""
    rows = labels.shape[0]
    is_even = rows is None or rows % 2 == 0
    expect(is_even, "y_true", "have each row twice", tuple(labels.shape))
