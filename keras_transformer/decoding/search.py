"""What greedy search, sampling and beam search have in common: the score, the candidates of a step, the loop.

Suffixes name axes: B sentences, W hypotheses of a sentence, R = B * W rows, K
candidates of a row, L positions, V vocabulary.
"""

from keras import ops

from keras_transformer.decoding import cache as caches
from keras_transformer.text.special_tokens import PAD, SpecialTokens

IMPOSSIBLE = float("-inf")
NEVER = SpecialTokens().never_generated  # by our own models


def length_penalty(lengths, alpha, kind="gnmt"):
    """What a log-probability is divided by: `((5 + length) / 6) ** alpha` ("gnmt") or `length ** alpha` ("power").

    The length counts the end token. Source: Wu et al. 2016, equation 14; "power" is the
    one of fairseq and Marian.
    """
    lengths = ops.cast(lengths, "float32")
    if kind == "gnmt":
        return ((5.0 + lengths) / 6.0) ** alpha
    if kind == "power":
        return lengths**alpha
    raise ValueError(f"penalty must be 'gnmt' or 'power'; received {kind!r}")


def pick(x_BC, choices_BW):
    """x (B, C, ...) at choices (B, W) -> (B, W, ...); C, W and what follows are static."""
    flat = ops.reshape(x_BC, (-1, *x_BC.shape[2:]))
    return ops.reshape(
        ops.take(flat, caches.rows(choices_BW, x_BC.shape[1]), axis=0),
        (-1, choices_BW.shape[1], *x_BC.shape[2:]),
    )


def top_k(logits_RV, k):
    """The values and the int32 indices of the `k` largest of each row, best first.

    By way of the largest of each group of about sqrt(V): they lie in the `k` best
    groups, and XLA on a CPU takes its time to sort whole rows.
    """
    vocabulary = logits_RV.shape[-1]
    size = next(
        n for n in range(int(vocabulary**0.5), vocabulary + 1) if vocabulary % n == 0
    )
    if vocabulary // size <= k:
        values_RK, ids_RK = ops.top_k(logits_RV, k)
        return values_RK, ops.cast(ids_RK, "int32")
    logits_RGU = ops.reshape(logits_RV, (-1, vocabulary // size, size))
    groups_RK = ops.cast(ops.top_k(ops.max(logits_RGU, axis=2), k)[1], "int32")
    values_RK, index_RK = ops.top_k(
        ops.reshape(pick(logits_RGU, groups_RK), (-1, k * size)), k
    )
    index_RK = ops.cast(index_RK, "int32")
    return values_RK, pick(groups_RK, index_RK // size) * size + index_RK % size


def candidates(logits_RV, k, forced_R=None, pad=PAD, never=NEVER):
    """The best tokens of each row and their log-probabilities, at least `k` of them possible if there are as many.

    The tokens `never`, at most two, get -inf: they are not generated. Where `forced_R`
    is not `pad`, that token is the only possible one.

    Returns:
        log_probs_RK (float32, under the unrestricted softmax), ids_RK (int32). K is `k
        + 2` or the vocabulary size.
    """
    vocabulary = logits_RV.shape[-1]
    logits_RV = ops.cast(logits_RV, "float32")
    # The top of the logits is the top of the softmax: only K of V log-probabilities are
    # ever computed.
    values_RK, ids_RK = top_k(logits_RV, min(k + 2, vocabulary))
    for token in never:
        values_RK = ops.where(ids_RK == token, IMPOSSIBLE, values_RK)
    if forced_R is not None:
        forced_R1 = ops.expand_dims(forced_R, 1)
        value_R1 = ops.reshape(
            ops.take(ops.reshape(logits_RV, (-1,)), caches.rows(forced_R1, vocabulary)),
            (-1, 1),
        )
        only_RK = ops.where(
            ops.cumsum(ops.ones_like(ids_RK), axis=1) == 1, value_R1, IMPOSSIBLE
        )
        values_RK = ops.where(forced_R1 == pad, values_RK, only_RK)
        ids_RK = ops.where(forced_R1 == pad, ids_RK, forced_R1)
    return values_RK - ops.logsumexp(logits_RV, axis=-1, keepdims=True), ids_RK


def write(tokens, ids, index):
    """Puts ids (...) at position `index` of tokens (..., L). By `where`, which every export can express."""
    return ops.where(
        ops.arange(tokens.shape[-1]) == index, ops.expand_dims(ids, -1), tokens
    )


def at(prefix_BL, index, pad=PAD):
    """The forced tokens (B,) at position `index`, `pad` where there is none."""
    here_L = ops.arange(prefix_BL.shape[-1]) == index
    return (
        ops.cast(ops.sum(ops.where(here_L, prefix_BL - pad, 0), axis=-1), "int32") + pad
    )


def run(advance, going, state, lengths):
    """Advances a search until it is over or has `lengths[-1]` positions; returns its state with an empty cache.

    The cache is as long as `lengths[0]` at first, and only grows to the next length
    when the search gets there: most translations are much shorter than the limit, and
    every step costs as much as the cache is long.
    """

    def body(state):
        return (advance(state),)

    (state,) = ops.while_loop(
        lambda s: going(s) & (s.index < lengths[0]), body, (state,)
    )
    if len(lengths) == 1:
        return state._replace(cache=())
    return ops.cond(
        going(state),
        lambda: run(
            advance,
            going,
            state._replace(cache=caches.extend(state.cache, lengths[1])),
            lengths[1:],
        ),
        lambda: state._replace(cache=()),
    )
