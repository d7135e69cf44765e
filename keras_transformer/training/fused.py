"""Loss and metrics of a decoder's states, whose logits are never held all at once."""

import keras
from keras import ops

from .loss import token_weights

# Into so many parts a target is cut; each part's logits take another's place.
PARTS = 8


class FusedLoss:
    """A smoothed loss, and the metrics beside it, of the decoder's states.

        z = x E^T + b        loss = sum_bt w[b, t] l[b, t]

    It is `LabelSmoothedCrossEntropy` and the metrics of those logits z `(B, T, V)`, in
    one pass: some positions' logits at a time become the sums and the gradient, and
    are forgotten.

    Args:
        loss: a `LabelSmoothedCrossEntropy` whose reduction is "sum".
        metrics: those of `metrics.py`, which are updated.

    Source: Hsu et al. 2024 (Liger Kernel), section 3.2.
    """

    def __init__(self, loss, metrics):
        self.loss = loss
        self.metrics = metrics

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
        labels = ops.convert_to_tensor(labels)
        weights = token_weights(labels, sample_weight, self.loss.ignore_class)
        labels = ops.cast(labels, "int32")
        known = (labels, weights, bias, self.loss.smoothing)

        @ops.custom_gradient
        def differentiable(states, matrix):
            sums, slopes, unit = measured(states, matrix, *known)

            def gradient(*given, upstream=None):
                # Under torch Keras passes the arguments, and names what is asked for.
                if upstream is None:
                    (upstream,) = given
                factor = unit * upstream[0]
                products = [ops.cast(slope, "float32") * factor for slope in slopes]
                by_states, by_matrix = products
                by_states = ops.cast(by_states, states.dtype)
                return by_states, ops.cast(by_matrix, matrix.dtype)

            return sums, gradient

        if training:
            sums = differentiable(states, matrix)
        else:
            sums, *_ = measured(states, matrix, *known, with_slopes=False)
        found = ops.stop_gradient(sums)
        count = ops.sum(ops.cast(weights > 0.0, "int32"))
        totals = {"nats": found[1], "accuracy": found[2]}
        for metric in self.metrics:
            metric.add(totals[metric.averages], count)
        return sums[0]


def measured(states, matrix, labels, weights, bias, smoothing, with_slopes=True):
    """Sums over all positions; the loss's slopes by states and matrix, and their unit.

    The sums are the loss, the nats and the right ones, float32 `(3,)`. The unit is the
    largest weight: half precision would lose slopes that are as small as 1 / tokens.
    """
    unit = ops.max(weights)
    unit = ops.where(unit > 0.0, unit, 1.0)

    def of_rows(arrays):
        return in_parts(*arrays, matrix, bias, unit, smoothing, with_slopes)

    arrays = (states, labels, weights)
    groups = devices_of_a_batch()
    if groups == 1:
        return *of_rows(arrays), unit
    # Each device adds up its own rows: slopes of one part would be exchanged each time.
    own = [ops.reshape(x, (groups, -1, *x.shape[1:])) for x in arrays]
    sums, slopes = ops.vectorized_map(of_rows, tuple(own))
    sums = ops.sum(sums, axis=0)
    if slopes is not None:
        by_states, by_matrix = slopes
        slopes = ops.reshape(by_states, states.shape), ops.sum(by_matrix, axis=0)
    return sums, slopes, unit


def devices_of_a_batch():
    """Over how many devices JAX cuts a batch; 1 where each has a program of its own."""
    engine = keras.distribution.distribution()
    if engine is None:
        return 1
    mesh = engine.device_mesh
    return mesh.shape[mesh.axis_names.index(engine.batch_dim_name)]


def in_parts(states, labels, weights, matrix, bias, unit, smoothing, with_slopes):
    """The sums, and the slopes if they are wanted, of some rows: part after part."""
    rows, length, width = ops.shape(states)
    kernel = ops.cast(matrix, states.dtype)
    sums = ops.zeros((3,))
    by_states = []
    by_matrix = ops.zeros(ops.shape(matrix))
    for part in range(PARTS):
        begin = part * length // PARTS
        end = (part + 1) * length // PARTS
        x = ops.reshape(states[:, begin:end], (-1, width))
        # The number of right ones is never negative: x stays as it is. A part thus
        # waits for the sums and slopes of the one before it. TensorFlow would compute
        # the logits of all of them first, and JAX's compiler keep all slopes.
        never = ops.logical_and(sums[2] < 0.0, by_matrix[0, 0] < 0.0)
        x = ops.where(never, 0.0, x)
        y = ops.reshape(labels[:, begin:end], (-1,))
        w = ops.reshape(weights[:, begin:end], (-1,))
        found, slopes_NV = of_tokens(x, kernel, bias, y, w, smoothing)
        sums = sums + found
        if with_slopes:
            slopes_NV = ops.expand_dims(w / unit, axis=1) * slopes_NV
            slopes_NV = ops.cast(slopes_NV, x.dtype)
            slope = ops.matmul(slopes_NV, kernel)
            by_states.append(ops.reshape(slope, (rows, end - begin, width)))
            slope = ops.matmul(ops.transpose(slopes_NV), x)
            by_matrix = by_matrix + ops.cast(slope, "float32")
    if not with_slopes:
        return sums, None
    return sums, (ops.concatenate(by_states, axis=1), by_matrix)


def of_tokens(x, kernel, bias, labels, weights, smoothing):
    """The sums of N tokens, and the slopes `(N, V)` of each one's loss by its logits.

    A label that is no class makes the loss NaN, as in `negative_log_likelihood`.
    """
    logits_NV = ops.cast(ops.matmul(x, ops.transpose(kernel)), "float32")
    if bias is not None:
        logits_NV = logits_NV + bias
    classes = kernel.shape[0]
    is_class = ops.logical_and(labels >= 0, labels < classes)
    counts = weights != 0.0
    places = ops.expand_dims(ops.where(is_class, labels, 0), axis=1)
    chosen = ops.squeeze(ops.take_along_axis(logits_NV, places, axis=1), axis=1)
    log_z = ops.logsumexp(logits_NV, axis=1)
    nats = ops.where(is_class, log_z - chosen, float("nan"))
    losses = nats
    if smoothing:
        mean = ops.mean(logits_NV, axis=1)
        losses = (1.0 - smoothing) * nats + smoothing * (log_z - mean)
    # Labels that do not count may be any number.
    losses = ops.where(counts, weights * losses, 0.0)
    is_best = ops.all(logits_NV <= ops.expand_dims(chosen, axis=1), axis=1)
    is_right = ops.logical_and(weights > 0.0, is_best)
    sums = [losses, ops.where(weights > 0.0, nats, 0.0), ops.cast(is_right, "float32")]
    is_label = ops.equal(ops.arange(classes, dtype="int32"), places)
    rest = smoothing / classes
    target_NV = ops.where(is_label, 1.0 - smoothing + rest, rest)
    slopes_NV = ops.exp(logits_NV - ops.expand_dims(log_z, axis=1)) - target_NV
    return ops.stack([ops.sum(one) for one in sums]), slopes_NV
