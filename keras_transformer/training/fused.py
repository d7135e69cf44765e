"""Loss and metrics of a decoder's states, whose logits are never held all at once."""

from typing import NamedTuple

import keras
from keras import ops

from ..layers.one_pass import in_one_pass
from ..layers.products import contracted
from .loss import as_tensors, token_weights
from .r_drop import check_twice

# Into so many parts a target is cut; each part's logits take another's place.
PARTS = 8


class LossTerms(NamedTuple):
    """The weights of two terms of the loss: label smoothing, R-Drop's divergence."""

    smoothing: float
    alpha: float


class FusedLoss:
    """A smoothed loss, and the metrics beside it, of the decoder's states.

        z = x E^T + b        loss = sum_bt w[b, t] l[b, t]

    It is `LabelSmoothedCrossEntropy`, or `RDropCrossEntropy`, and the metrics of those
    logits z `(B, T, V)`, in one pass: some positions' logits at a time become the sums
    and the gradient, and are forgotten. Where several logits are the highest, as may be
    in half precision, each of them counts as right. Under R-Drop the loss is also NaN
    where two rows that should be one have other weights.

    Args:
        loss: one of these two, whose reduction is "sum".
        metrics: those of `metrics.py`, which are updated.

    Source: Hsu et al. 2024 (Liger Kernel), section 3.2.
    """

    def __init__(self, loss, metrics):
        self.loss = loss
        self.metrics = metrics
        self.terms = LossTerms(loss.smoothing, getattr(loss, "alpha", 0.0))

    def __call__(self, labels, states, projection, sample_weight=None, training=True):
        """The loss.

        Args:
            labels: `(B, T)` ids.
            states: x, `(B, T, D)`.
            projection: E `(V, D)`, and b `(V,)` or None.
            sample_weight: as that of the loss.
            training: whether a gradient will be asked for.
        """
        matrix, bias = projection
        labels, states = as_tensors(labels, states)
        ignored = self.loss.ignore_class
        weights = token_weights(labels, states, sample_weight, ignored)
        labels = ops.cast(labels, "int32")

        @ops.custom_gradient
        def differentiable(states, matrix):
            sums, slopes, unit = measured(
                states, labels, weights, matrix, bias, self.terms
            )

            def gradient(*arguments, upstream=None):
                # Under torch Keras passes the arguments, and names what is asked for.
                if upstream is None:
                    (upstream,) = arguments
                factor = unit * upstream[0]
                by_states, by_matrix = slopes
                by_states = ops.cast(by_states, "float32") * factor
                by_states = ops.cast(by_states, states.dtype)
                by_matrix = ops.cast(by_matrix, "float32") * factor
                if len(by_matrix.shape) == 3:
                    # Exchanged with the gradients of the layers, in their type.
                    by_matrix = ops.sum(ops.cast(by_matrix, states.dtype), axis=0)
                return by_states, ops.cast(by_matrix, matrix.dtype)

            return sums, gradient

        if training:
            sums = differentiable(states, matrix)
        else:
            sums, _, _ = measured(
                states, labels, weights, matrix, bias, self.terms, with_slopes=False
            )
        constant = ops.stop_gradient(sums)
        count = ops.sum(ops.cast(weights > 0.0, "int32"))
        totals = {"nats": constant[1], "accuracy": constant[2]}
        for metric in self.metrics:
            metric.add(totals[metric.averages], count)
        return sums[0]


def measured(states, labels, weights, matrix, bias, terms, with_slopes=True):
    """Sums over all positions; the loss's slopes by states and matrix, and their unit.

    The sums are the loss, the nats and the right ones, float32 `(3,)`. The unit is the
    largest weight: half precision would lose slopes that are as small as 1 / tokens.
    Where JAX cuts a batch over G devices, the slopes by the matrix are each one's own,
    `(G, V, D)`.
    """
    unit = ops.max(weights)
    unit = ops.where(unit > 0.0, unit, 1.0)

    def of_rows(arrays):
        states, labels, weights = arrays
        if terms.alpha:
            check_twice(labels)
        return in_parts(states, labels, weights, matrix, bias, unit, terms, with_slopes)

    arrays = (states, labels, weights)
    groups = devices_of_a_batch()
    if groups == 1:
        sums, slopes = of_rows(arrays)
        return sums, slopes, unit
    # Each device adds up its own rows: slopes of one part would be exchanged each time.
    by_device = tuple(ops.reshape(x, (groups, -1, *x.shape[1:])) for x in arrays)
    sums, slopes = ops.vectorized_map(of_rows, by_device)
    sums = ops.sum(sums, axis=0)
    if slopes is not None:
        by_states, by_matrix = slopes
        slopes = ops.reshape(by_states, states.shape), by_matrix
    return sums, slopes, unit


def devices_of_a_batch():
    """Over how many devices JAX cuts a batch; 1 where each has a program of its own."""
    engine = keras.distribution.distribution()
    if engine is None:
        return 1
    mesh = engine.device_mesh
    return mesh.shape[mesh.axis_names.index(engine.batch_dim_name)]


def in_parts(states, labels, weights, matrix, bias, unit, terms, with_slopes):
    """The sums, and the slopes if they are wanted, of some rows: part after part."""
    rows, length, width = ops.shape(states)
    kernel = ops.cast(matrix, states.dtype)
    means = (ops.mean(matrix, axis=0), 0.0 if bias is None else ops.mean(bias))
    sums = ops.zeros((3,))
    by_states = []
    by_matrix = ops.zeros(ops.shape(matrix))
    smoothed_D = ops.zeros((width,))
    for part in range(PARTS):
        begin = part * length // PARTS
        end = (part + 1) * length // PARTS
        if isinstance(length, int) and begin == end:
            continue  # Keras finds no maximum of nothing
        x = ops.reshape(states[:, begin:end], (-1, width))
        # The number of right ones is never negative: x stays as it is. A part thus
        # waits for the sums and slopes of the one before it. TensorFlow would compute
        # the logits of all of them first, and JAX's compiler keep all slopes.
        never = ops.logical_and(sums[2] < 0.0, by_matrix[0, 0] < 0.0)
        x = ops.where(never, 0.0, x)
        y = ops.reshape(labels[:, begin:end], (-1,))
        w = ops.reshape(weights[:, begin:end], (-1,))
        logits_NV = contracted(x, kernel, (1, 1))
        sums_of_part, errors_NV = in_one_pass(of_logits)(
            logits_NV, mean_of(x, means), y, w, bias, terms, end - begin, with_slopes
        )
        sums = sums + sums_of_part
        if with_slopes:
            smoothed = terms.smoothing * means[0]
            by_x, by_kernel, weighted_D = slopes_of(
                x, errors_NV, w / unit, kernel, smoothed
            )
            by_x = ops.reshape(by_x, (rows, end - begin, width))
            by_states.append(ops.cast(by_x, x.dtype))
            by_matrix = by_matrix + by_kernel
            smoothed_D = smoothed_D + weighted_D
    if not with_slopes:
        return sums, None
    by_matrix = by_matrix - terms.smoothing / matrix.shape[0] * smoothed_D
    return sums, (ops.concatenate(by_states, axis=1), by_matrix)


def slopes_of(x, errors_NV, shares_N, kernel, smoothed):
    """The slopes of a part by its states and by the matrix, and the sum of its states.

    What is the same for all classes, `smoothed`, is added to the products alone. All
    are weighted by each row's share.
    """
    share_N1 = ops.expand_dims(shares_N, axis=1)
    by_x = ops.cast(contracted(errors_NV, kernel, (1, 0)), "float32")
    by_x = share_N1 * (by_x - smoothed)
    weighted_ND = ops.cast(share_N1, x.dtype) * x
    by_matrix = ops.cast(contracted(errors_NV, weighted_ND, (0, 0)), "float32")
    return by_x, by_matrix, ops.sum(ops.cast(weighted_ND, "float32"), axis=0)


def mean_of(x, means):
    """The mean of each token's logits over the classes, `(N,)`."""
    kernel_mean, bias_mean = means
    return ops.sum(ops.cast(x, "float32") * kernel_mean, axis=1) + bias_mean


def of_logits(logits_NV, mean, labels, weights, bias, terms, length, with_errors):
    """The sums of N tokens, and `(N, V)` their errors, the slopes by their logits.

    An error is p - (1 - smoothing) one_hot; what is the same for all classes is not in
    it. A label that is no class makes the loss NaN, as in `negative_log_likelihood`.

    Args:
        logits_NV: `(N, V)`, without the bias.
        mean: of the logits over the classes, `(N,)`.
        labels, weights: `(N,)`.
        bias: `(V,)` or None.
        terms: those of the loss.
        length: how many tokens of a row are together.
        with_errors: otherwise None is in their place.
    """
    dtype = logits_NV.dtype
    logits_NV = ops.cast(logits_NV, "float32")
    if bias is not None:
        logits_NV = logits_NV + bias
    classes = logits_NV.shape[1]
    is_class = ops.logical_and(labels >= 0, labels < classes)
    counts = weights != 0.0
    places = ops.expand_dims(ops.where(is_class, labels, 0), axis=1)
    chosen = ops.take_along_axis(logits_NV, places, axis=1)
    best = ops.max(logits_NV, axis=1, keepdims=True)
    p_NV, log_z = softmax_and_log_z(logits_NV, best)
    nats = ops.where(is_class, ops.squeeze(log_z - chosen, axis=1), float("nan"))
    losses = nats
    smoothing, alpha = terms
    if smoothing:
        rest = ops.squeeze(log_z, axis=1) - mean
        losses = (1.0 - smoothing) * nats + smoothing * rest
    if alpha:
        log_p_NV = logits_NV - log_z
        divergence, slope_NV = divergence_and_slope(log_p_NV, length)
        are_equal = are_twice(labels, weights, length)
        divergence = ops.where(are_equal, divergence, float("nan"))
        losses = losses + alpha / 2 * divergence
    # Labels that do not count may be any number.
    losses = ops.where(counts, weights * losses, 0.0)
    is_best = ops.squeeze(chosen >= best, axis=1)
    is_right = ops.logical_and(weights > 0.0, is_best)
    nats = ops.where(weights > 0.0, nats, 0.0)
    rights = ops.cast(is_right, "float32")
    sums = ops.stack([ops.sum(losses), ops.sum(nats), ops.sum(rights)])
    if not with_errors:
        return sums, None
    at_label = ops.exp(chosen - log_z) - (1.0 - smoothing)
    errors_NV = replaced_in_rows(p_NV, places, at_label)
    if alpha:
        errors_NV = errors_NV + alpha / 2 * slope_NV
    return sums, ops.cast(errors_NV, dtype)


def softmax_and_log_z(logits_NV, best):
    """The probabilities, and the logarithm `(N, 1)` of the sum of exponentials.

    PyTorch, which fuses nothing, has a kernel for the softmax. The largest probability
    is 1 / z, for logits from which `best`, the largest of each row, was taken.
    """
    if keras.backend.backend() == "torch":
        p_NV = ops.softmax(logits_NV, axis=1)
        return p_NV, best - ops.log(ops.max(p_NV, axis=1, keepdims=True))
    powers_NV = ops.exp(logits_NV - best)
    z = ops.sum(powers_NV, axis=1, keepdims=True)
    return powers_NV / z, best + ops.log(z)


def replaced_in_rows(x, places, values):
    """x `(N, V)` with a value `(N, 1)` at a place `(N, 1)` of each row.

    PyTorch writes into x, which nobody else may read. The others fuse a choice between
    x and the values with what x is made of.
    """
    if keras.backend.backend() == "torch":
        return x.scatter_(1, places.long(), values)
    is_place = ops.equal(ops.arange(x.shape[1], dtype="int32"), places)
    return ops.where(is_place, values, x)


def divergence_and_slope(log_p_NV, length):
    """KL(p || q) of each token, q being its other pass, and its share of the slopes.

    Of KL(p || q) + KL(q || p) the slope by the logits of p is
    `p (log p - log q - KL(p || q)) + p - q`.
    """
    log_q_NV = partner(log_p_NV, length)
    p_NV = ops.exp(log_p_NV)
    further_NV = log_p_NV - log_q_NV
    divergence = ops.sum(p_NV * further_NV, axis=1, keepdims=True)
    slope_NV = p_NV * (further_NV - divergence) + p_NV - ops.exp(log_q_NV)
    return ops.squeeze(divergence, axis=1), slope_NV


def are_twice(labels, weights, length):
    """Whether each token has the label and the weight of its row's other pass."""
    same_labels = ops.equal(labels, partner(labels, length))
    same_weights = ops.equal(weights, partner(weights, length))
    return ops.logical_and(same_labels, same_weights)


def partner(x, length):
    """The tokens `(N, ...)` of each row's other pass, which stands beside it."""
    shape = ops.shape(x)
    pairs = ops.reshape(x, (-1, 2, length, *shape[1:]))
    return ops.reshape(ops.flip(pairs, axis=1), shape)
