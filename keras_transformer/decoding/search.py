"""What sampling and beam search have in common: the score, and the candidates.

Suffixes name axes: B sentences, W hypotheses of a sentence, R = B * W rows,
K candidates of a row, L positions, V vocabulary.
"""

from typing import Any, NamedTuple

from keras import ops

from ..config import expect
from ..text.special_tokens import SpecialTokens
from . import cache as caches
from .closed_tokens import closed_by, repeating
from .loop import run

IMPOSSIBLE = float("-inf")
OURS = SpecialTokens()  # those of our own tokenizers


class Request(NamedTuple):
    """What a search is given: the same at every step, B rows of each.

    A search closes over none of it, so that what is compiled for one request serves
    every other of its shape.
    """

    # (B,) int32, most tokens of each sentence, END counted; 0 for one to skip
    max_lengths: Any
    # what the step reads beside the cache, such as an encoder's memory
    memory: Any = ()
    # (B, P) int32, padded: tokens that a hypothesis must begin with
    prefix: Any = None
    # (B, P) int32, how often it must hold each of P tokens
    copied: Any = None
    # (B, G, A, P) int32, terms that it must hold, see `TermSearch`
    terms: Any = None
    # during a step: what the hypotheses have of the terms, a `Standing`
    standing: Any = None
    # (B, W) int32, what is drawn by
    seeds: Any = None
    # (B,) int32, the token that is read first; BEGIN when absent
    last: Any = None
    # (B,) int32, the token before the prefix, if it is text
    first: Any = None
    # (B,) int32, the first position that is no prompt's; 0 when absent. The tokens
    # before it are those of the prefix, cost nothing, and end nothing
    given: Any = None


class Search:
    """What beam search and sampling are: a state, and how it advances.

    A subclass has `begin(request, cache, length, index=0)`, the first state,
    `advance(request, state)`, the next one, `live(state)`, the sentences `(B,)` that
    are to go on, and `result(state)`, the tokens and scores of their hypotheses.

    Args:
        step: `step(ids (R, 1) int32, cache, index () int32, *memory) -> (logits
            (R, 1, V), cache)`, R = B * W.
        width: hypotheses of a sentence, W.
        special: the model's `SpecialTokens`.
        stops: the ids that end a hypothesis; END alone when absent.
        free_prefix: how many tokens of the prefix, the first ones, cost nothing.
        first_copied: the first of the tokens that `Request.copied` counts; the others
            come after it.
        no_repeat_ngram: how many tokens in a row never come twice; 0 for no limit.
    """

    def __init__(
        self,
        step,
        width,
        special=OURS,
        stops=None,
        free_prefix=0,
        first_copied=0,
        no_repeat_ngram=0,
    ):
        self.step = step
        self.width = width
        self.special = special
        self.stops = stops or (special.end,)
        self.free_prefix = free_prefix
        self.first_copied = first_copied
        self.no_repeat_ngram = no_repeat_ngram

    def __call__(self, request, cache, lengths, loop=None):
        """The result for caches of these lengths, in one graph; `loop` is `run`."""
        state = self.begin(request, cache, lengths[-1])
        return self.result((loop or run)(self, request, state, lengths))

    def first_tokens(self, request):
        """The token (B, W) that is read first."""
        last_B = request.last
        if last_B is None:
            last_B = ops.full_like(request.max_lengths, self.special.begin)
        return ops.tile(ops.expand_dims(last_B, 1), (1, self.width))

    def first_text(self, request, length, index):
        """The tokens (B, W, L): those of the prefix before `index`, then PAD."""
        sentences = ops.shape(request.max_lengths)[0]
        shape = (sentences, self.width, length - index)
        tokens = ops.full(shape, self.special.pad, dtype="int32")
        if not index:
            return tokens
        before_B1P = ops.expand_dims(request.prefix[:, :index], 1)
        before_BWP = ops.tile(before_B1P, (1, self.width, 1))
        return ops.concatenate([before_BWP, tokens], axis=2)

    def given(self, request):
        """The first position (B, 1) that is no prompt's."""
        given_B = request.given
        if given_B is None:
            given_B = ops.zeros_like(request.max_lengths)
        return ops.expand_dims(given_B, 1)

    def next_tokens(self, request, logits_R1V, tokens_BWL, index, k):
        """The best `candidates` of each row."""
        logits_RV = ops.cast(logits_R1V[:, 0], "float32")
        forced_R = None
        if request.prefix is not None:
            forced_B = forced_at(index, request.prefix, self.special.pad)
            forced_R = caches.repeat(forced_B, self.width)
        vocabulary = logits_RV.shape[1]
        closed_RV, wanted_RV = self.masks(request, tokens_BWL, index, vocabulary)
        return candidates(
            logits_RV,
            k,
            self.special,
            forced_R,
            is_free=index < self.free_prefix,
            stops=self.stops,
            closed_RV=closed_RV,
            wanted_RV=wanted_RV,
        )

    def masks(self, request, tokens_BWL, index, vocabulary):
        """Which tokens may not come next, and which are candidates in any case.

        Each is `(R, V)`, or None for no tokens; only a `TermSearch` gives the second.
        """
        tokens_RL = ops.reshape(tokens_BWL, (-1, tokens_BWL.shape[2]))
        if self.no_repeat_ngram:
            if request.first is not None:
                first_R = caches.repeat(request.first, self.width)
                both = [ops.expand_dims(first_R, 1), tokens_RL]
                tokens_RL = ops.concatenate(both, axis=1)
                index = index + 1
            return repeating(tokens_RL, index, self.no_repeat_ngram, vocabulary), None
        if request.copied is None:
            return None, None
        room_R = caches.repeat(request.max_lengths - index, self.width)
        copied_RP = caches.repeat(request.copied, self.width)
        end = self.special.end
        closed_RV = closed_by(
            copied_RP, tokens_RL, room_R, self.first_copied, end, vocabulary
        )
        return closed_RV, None


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
    if kind == "gnmt":
        lengths = (5.0 + lengths) / 6.0
    return lengths**alpha


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


def candidates(
    logits_RV,
    k,
    special,
    forced_R=None,
    is_free=None,
    stops=(),
    closed_RV=None,
    wanted_RV=None,
):
    """The best tokens of each row and their log-probabilities.

    At least `k` of them are possible if there are as many. The tokens that are never
    generated, at most two, get -inf.

    Args:
        logits_RV: logits, float32.
        k: how many possible tokens are wanted.
        special: the model's `SpecialTokens`.
        forced_R: (R,) int32 or None: where it is not `special.pad`, that token is the
            only possible one.
        is_free: () bool: whether the forced tokens cost nothing.
        stops: ids that may be generated in any case.
        closed_RV: True at tokens that are not possible, or None.
        wanted_RV: True at tokens that come before all others, or None.

    Returns:
        log_probs_RK (float32, under the unrestricted softmax), ids_RK (int32). K is
        `k + 2` or the vocabulary size.
    """
    vocabulary = logits_RV.shape[-1]
    # The top of the logits is the top of the softmax: only K of V log-probabilities are
    # ever computed.
    open_RV = logits_RV
    if closed_RV is not None:
        open_RV = ops.where(closed_RV, IMPOSSIBLE, logits_RV)
    first_RV = open_RV
    if wanted_RV is not None:
        first_RV = ops.where(wanted_RV, float("inf"), open_RV)
    values_RK, ids_RK = top_k(first_RV, min(k + 2, vocabulary))
    if wanted_RV is not None:
        values_RK = ops.take_along_axis(open_RV, ids_RK, axis=1)
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


def forced_at(index, prefix_BP, pad):
    """The token `(B,)` of a prefix at a position, `pad` where it has none."""
    here_P = ops.arange(prefix_BP.shape[1]) == index
    offset_B = ops.sum(ops.where(here_P, prefix_BP - pad, 0), axis=1)
    return ops.cast(offset_B, "int32") + pad
