"""What sampling and beam search have in common: the score, the candidates, the loop.

Suffixes name axes: B sentences, W hypotheses of a sentence, R = B * W rows,
K candidates of a row, L positions, V vocabulary.
"""

from typing import Any, NamedTuple

from keras import ops

from ..config import expect
from ..text.special_tokens import SpecialTokens
from . import cache as caches

IMPOSSIBLE = float("-inf")
OURS = SpecialTokens()  # those of our own tokenizers


class Prompt(NamedTuple):
    """What a cache holds already when a search begins, and what is given beyond."""

    # int, positions in the cache
    index: int
    # (B,) int32, the token that is read next
    last: Any
    # (B,) int32, the first position whose token is not given: given tokens are those
    # of the search's prefix, cost nothing, and end nothing
    given: Any


def start(prompt, rows, special):
    """The first position () int32, the token before it, and what a prompt gives (B, 1).

    `rows` is any (B,) int32.
    """
    if prompt is None:
        begins = ops.full_like(rows, special.begin)
        prompt = Prompt(0, begins, ops.zeros_like(rows))
    index = ops.convert_to_tensor(prompt.index, "int32")
    return index, ops.expand_dims(prompt.last, 1), ops.expand_dims(prompt.given, 1)


def is_one_of(ids, numbers):
    """Where ids are among a few numbers: boolean, as they are."""
    found = ops.equal(ids, numbers[0])
    for number in numbers[1:]:
        found = ops.logical_or(found, ops.equal(ids, number))
    return found


def length_penalty(lengths, alpha, kind="gnmt"):
    """What a log-probability is divided by, for a length that counts the end token.

        gnmt:   ((5 + length) / 6) ^ alpha
        power:  length ^ alpha

    Source: Wu et al. 2016, equation 14; "power" is the one of fairseq and Marian.
    """
    lengths = ops.cast(lengths, "float32")
    expect(kind in ("gnmt", "power"), "penalty", "be 'gnmt' or 'power'", kind)
    return ((5.0 + lengths) / 6.0 if kind == "gnmt" else lengths) ** alpha


def pick(x_BC, choices_BW):
    """x (B, C, ...) at choices (B, W) -> (B, W, ...); all sizes but B are static."""
    rest = x_BC.shape[2:]
    rows = caches.rows(choices_BW, x_BC.shape[1])
    chosen = ops.take(ops.reshape(x_BC, (-1, *rest)), rows, axis=0)
    return ops.reshape(chosen, (-1, choices_BW.shape[1], *rest))


def top_k(logits_RV, k):
    """The values and the int32 indices of the `k` largest of each row, best first.

    It goes by the largest of each group of about sqrt(V): they lie in the `k` best
    groups, and XLA on a CPU takes its time to sort whole rows.
    """
    vocabulary = logits_RV.shape[-1]
    sizes = range(int(vocabulary**0.5), vocabulary + 1)
    size = next(size for size in sizes if vocabulary % size == 0)
    if vocabulary // size <= k:
        values_RK, ids_RK = ops.top_k(logits_RV, k)
        return values_RK, ops.cast(ids_RK, "int32")
    logits_RGU = ops.reshape(logits_RV, (-1, vocabulary // size, size))
    _, groups_RK = ops.top_k(ops.max(logits_RGU, axis=2), k)
    groups_RK = ops.cast(groups_RK, "int32")
    best_RN = ops.reshape(pick(logits_RGU, groups_RK), (-1, k * size))
    values_RK, index_RK = ops.top_k(best_RN, k)
    index_RK = ops.cast(index_RK, "int32")
    return values_RK, pick(groups_RK, index_RK // size) * size + index_RK % size


def closed_by(copies, tokens, limits, index, special, vocabulary):
    """What `candidates` must know of `Copies`; None without them.

    Args:
        copies: `Copies` of each row, or None.
        tokens: (..., L) int32, what each row has generated so far.
        limits: (B,) int32, most tokens of each sentence, whose rows come together.
        index: () int32, the position to be generated.
        special: the model's `SpecialTokens`.
        vocabulary: V.
    """
    if copies is None:
        return None
    tokens_RL = ops.reshape(tokens, (-1, tokens.shape[-1]))
    hypotheses = tokens.shape[1] if len(tokens.shape) == 3 else 1
    room_R = ops.repeat(limits - index, hypotheses)
    return copies.closed(tokens_RL, room_R, special.end, vocabulary)


class Copies(NamedTuple):
    """Tokens that a translation holds exactly as often as it is told.

    They are `first`, `first + 1` and so on, P of them.
    """

    first: int
    # (R, P) int32
    wanted: Any

    def closed(self, tokens_RL, room_R, end, vocabulary):
        """True `(R, V)` where a token may not come next.

        A copied token may not come too often, the end not before all have come, and
        nothing else where there is room for no more than these.

        Args:
            tokens_RL: what was generated so far.
            room_R: how many tokens may follow.
            end: the end token.
            vocabulary: V.
        """
        number = self.wanted.shape[1]
        copied_P = self.first + ops.arange(number, dtype="int32")
        is_copy_RLP = ops.expand_dims(tokens_RL, 2) == copied_P
        left_RP = self.wanted - ops.sum(ops.cast(is_copy_RLP, "int32"), axis=1)
        missing_R1 = ops.sum(left_RP, axis=1, keepdims=True)
        after = vocabulary - self.first - number
        room_RV = ops.pad(left_RP, [[0, 0], [self.first, after]])
        ids_V = ops.arange(vocabulary, dtype="int32")
        is_copy_V = (ids_V >= self.first) & (ids_V < self.first + number)
        is_spent_RV = is_copy_V & (room_RV <= 0)
        is_early_RV = (ids_V == end) & (missing_R1 > 0)
        is_late_R1 = (missing_R1 > 0) & (missing_R1 >= ops.expand_dims(room_R, 1))
        return is_spent_RV | is_early_RV | (is_late_R1 & ~is_copy_V)


def candidates(
    logits_RV, k, special, forced_R=None, is_free=None, stops=(), closed_RV=None
):
    """The best tokens of each row and their log-probabilities.

    At least `k` of them are possible if there are as many. The tokens that are never
    generated, at most two, get -inf.

    Args:
        logits_RV: logits.
        k: how many possible tokens are wanted.
        special: the model's `SpecialTokens`.
        forced_R: (R,) int32 or None: where it is not `special.pad`, that token is the
            only possible one.
        is_free: () bool: whether the forced tokens cost nothing.
        stops: ids that may be generated in any case.
        closed_RV: True at tokens that are not possible, or None.

    Returns:
        log_probs_RK (float32, under the unrestricted softmax), ids_RK (int32). K is
        `k + 2` or the vocabulary size.
    """
    vocabulary = logits_RV.shape[-1]
    logits_RV = ops.cast(logits_RV, "float32")
    # The top of the logits is the top of the softmax: only K of V log-probabilities are
    # ever computed.
    open_RV = logits_RV
    if closed_RV is not None:
        open_RV = ops.where(closed_RV, IMPOSSIBLE, logits_RV)
    values_RK, ids_RK = top_k(open_RV, min(k + 2, vocabulary))
    for token in {*special.never_generated} - {*stops}:
        values_RK = ops.where(ids_RK == token, IMPOSSIBLE, values_RK)
    total_R1 = ops.logsumexp(logits_RV, axis=-1, keepdims=True)
    if forced_R is None:
        return values_RK - total_R1, ids_RK
    forced_R1 = ops.expand_dims(forced_R, 1)
    flat = ops.reshape(logits_RV, (-1,))
    # Where nothing is forced, that may be no token at all.
    row_R = caches.rows(ops.maximum(forced_R1, 0), vocabulary)
    value_R = ops.take(flat, row_R)
    log_prob_R1 = ops.reshape(value_R, (-1, 1)) - total_R1
    log_prob_R1 = ops.where(is_free, 0.0, log_prob_R1)
    first_RK = ops.cumsum(ops.ones_like(ids_RK), axis=1) == 1
    only_RK = ops.where(first_RK, log_prob_R1, IMPOSSIBLE)
    is_open_R1 = forced_R1 == special.pad
    log_probs_RK = ops.where(is_open_R1, values_RK - total_R1, only_RK)
    return log_probs_RK, ops.where(is_open_R1, ids_RK, forced_R1)


def write(tokens, ids, index):
    """Puts ids (...) at position `index` of tokens (..., L).

    By `where`, which every export can express.
    """
    here = ops.arange(tokens.shape[-1]) == index
    return ops.where(here, ops.expand_dims(ids, -1), tokens)


def forced_at(index, prefix_RP, free_prefix, special):
    """What `candidates` must know of a prefix at a position: the token, if it is free.

    Args:
        index: () int32.
        prefix_RP: (R, P) int32, padded; or None.
        free_prefix: how many positions, the first ones, cost nothing.
        special: the model's `SpecialTokens`.
    """
    if prefix_RP is None:
        return None, None
    here_P = ops.arange(prefix_RP.shape[1]) == index
    offset_R = ops.sum(ops.where(here_P, prefix_RP - special.pad, 0), axis=1)
    return ops.cast(offset_R, "int32") + special.pad, index < free_prefix


def run(advance, going, state, lengths):
    """Advances a search until it is over or has `lengths[-1]` positions.

    The cache is as long as `lengths[0]` at first, and grows to the next length only
    when the search gets there: most translations are much shorter than the limit, and
    every step costs as much as the cache is long.

    `advance(state)` gives `(state,)`, as `keras.ops.while_loop` wants it, and
    `going(state)` whether it is to go on. The last state has an empty cache.
    """

    def goes_on(state):
        return ops.logical_and(going(state), state.index < lengths[0])

    (state,) = ops.while_loop(goes_on, advance, (state,))
    if len(lengths) == 1:
        return state._replace(cache=())

    def with_more_room():
        longer = state._replace(cache=caches.extend(state.cache, lengths[1]))
        return run(advance, going, longer, lengths[1:])

    def as_it_is():
        return state._replace(cache=())

    return ops.cond(going(state), with_more_room, as_it_is)
