"""Beam search for translations that hold some terms, wherever they fit best.

The hypotheses of a sentence lie in banks by how many tokens of the terms they have, and
the first of each bank comes before the second of any: one with a term is not compared
with one that still lacks it, which is always likelier.

Suffixes beside those of `search`: G terms of a sentence, A ways to write each, P tokens
of each way, N = G * A.

Source: Post and Vilar 2018, section 3 (banks); Hu et al. 2019 (as arrays).
"""

from typing import Any, NamedTuple

from keras import ops

from ..text.special_tokens import NO_TOKEN
from . import cache as caches
from . import search
from .beam_search import BeamSearch


class Standing(NamedTuple):
    """What the hypotheses, R rows, have of the terms."""

    # (R, 1) int32, tokens of the terms that are there, each as long as its longest way
    bank: Any
    # (R, 1) int32, the fewest tokens of the terms that are not there
    missing: Any
    # (R, N) int32, the token with which each way goes on, `NO_TOKEN` where none may
    next: Any
    # (R, N) int32, the tokens that this way still takes beyond those of the shortest
    # one, and those that must be written again because its next token spoils them
    more: Any
    # (R, N) int32, what the bank grows by with the token
    worth: Any
    # (R, 1) bool, whether a term is there by the last word alone
    ends: Any


class TermSearch(BeamSearch):
    """A `BeamSearch` for translations with all terms of `Request.terms`.

    Each is there at least once, in one of its ways, as whole words: no hypothesis ends
    before, and where there is room for no more than the terms nothing else comes. A
    sentence has `beam` finished hypotheses, and `beam` live ones plus one for each
    token of its terms.

    Args:
        step: as in `Search`.
        beam: finished hypotheses, n.
        places: tokens of terms, G * P.
        is_inner: (V,) bool, which tokens go on with a word: they follow a term only as
            part of a longer one, and the shorter one is then not there.
        **options: those of `BeamSearch`.
    """

    def __init__(self, step, beam, places, is_inner=None, **options):
        super().__init__(step, beam + places, **options)
        self.beam = beam
        self.banks = places + 1
        self.is_inner = is_inner

    def begin(self, request, cache, length, index=0):
        """As in `BeamSearch`, but that fewer hypotheses are finished than live."""
        state = super().begin(request, cache, length, index)
        return state._replace(
            finished_tokens=state.finished_tokens[:, : self.beam],
            finished_scores=state.finished_scores[:, : self.beam],
        )

    def advance(self, request, state):
        """The next `BeamState`."""
        standing = standing_of(
            request.terms, state.live_tokens, state.index, self.is_inner
        )
        return super().advance(request._replace(standing=standing), state)

    def most_of_row(self, request):
        """As in `BeamSearch`, beside all tokens with which terms go on."""
        return super().most_of_row(request) + request.standing.next.shape[1]

    def masks(self, request, tokens_BWL, index, vocabulary):
        """As in `Search`; the tokens of terms are candidates in any case."""
        standing = request.standing
        ids_1V = ops.expand_dims(ops.arange(vocabulary, dtype="int32"), 0)
        room_B1 = ops.expand_dims(request.max_lengths - index, 1)
        if request.copied is not None:
            room_B1 = room_B1 - ops.sum(request.copied, axis=1, keepdims=True)
        room_R1 = caches.repeat(room_B1, self.width)
        helps_RN = standing.missing + standing.more <= room_R1
        wanted_RV = is_among(ids_1V, ops.where(helps_RN, standing.next, NO_TOKEN))
        is_missing_R1 = standing.missing > 0
        closed_RV = search.is_one_of(ids_1V, self.stops) & is_missing_R1
        if self.is_inner is not None:
            is_inner_1V = ops.expand_dims(ops.convert_to_tensor(self.is_inner), 0)
            closed_RV = closed_RV | (standing.ends & is_inner_1V & ~wanted_RV)
        marks_RV, _ = super().masks(request, tokens_BWL, index, vocabulary)
        if marks_RV is not None:
            closed_RV = closed_RV | marks_RV
        # Only the terms, where there is room for no more than these and the markup.
        is_late_R1 = is_missing_R1 & (standing.missing >= room_R1)
        return ops.where(is_late_R1, ~wanted_RV, closed_RV), wanted_RV

    def choose(self, request, totals_BN, ids_BN, count):
        """As in `BeamSearch`: the best of each bank, then the second of each, ..."""
        standing = request.standing
        number = ids_BN.shape[1]
        ids_RK = ops.reshape(ids_BN, (-1, number // self.width))
        grown_RK = ops.zeros_like(ids_RK)
        for n in range(standing.next.shape[1]):
            is_next_RK = ids_RK == standing.next[:, n : n + 1]
            worth_RK = ops.where(is_next_RK, standing.worth[:, n : n + 1], 0)
            grown_RK = ops.maximum(grown_RK, worth_RK)
        bank_RK = standing.bank + grown_RK
        bank_BN = ops.reshape(bank_RK, (-1, number))
        order_BN = by_bank(totals_BN, bank_BN, self.banks)
        _, choices_BC = ops.top_k(order_BN, count)
        choices_BC = ops.cast(choices_BC, "int32")
        return search.pick(totals_BN, choices_BC), choices_BC

    def keep(self, live_BC):
        """As in `BeamSearch`: the first of them, and of these the best first."""
        places_C = -ops.arange(live_BC.shape[1], dtype="float32")
        order_BC = ops.where(live_BC > search.IMPOSSIBLE, places_C, search.IMPOSSIBLE)
        _, first_BW = ops.top_k(order_BC, self.width)
        first_BW = ops.cast(first_BW, "int32")
        live_BW, places_BW = ops.top_k(search.pick(live_BC, first_BW), self.width)
        return live_BW, search.pick(first_BW, ops.cast(places_BW, "int32"))


def standing_of(terms_BGAP, tokens_BWL, index, is_inner_V):
    """The `Standing` of hypotheses.

    A way that ends with the last token is there, unless the next token goes on with its
    word. So may another way, of this term or of another, which has begun with it: as
    "Boote" does after "Boot". It goes on if that takes no more tokens away than it has.

    Args:
        terms_BGAP: the terms of each sentence, with `NO_TOKEN` where they end and where
            there are fewer.
        tokens_BWL: what was generated.
        index: the position to be generated.
        is_inner_V: as in `TermSearch`, or None.
    """
    terms_RGAP = caches.repeat(terms_BGAP, tokens_BWL.shape[1])
    tokens_RL = ops.reshape(tokens_BWL, (-1, tokens_BWL.shape[2]))
    lengths_RGA = ops.sum(ops.cast(terms_RGAP != NO_TOKEN, "int32"), axis=3)
    is_past_RGA, begun_RGA = found_in(
        terms_RGAP, lengths_RGA, tokens_RL, index, is_inner_V
    )
    is_way_RGA = lengths_RGA > 0
    longest_RG1 = ops.max(lengths_RGA, axis=2, keepdims=True)
    shorter_RGA = ops.where(is_way_RGA, lengths_RGA, longest_RG1)
    shortest_RG1 = ops.min(shorter_RGA, axis=2, keepdims=True)
    ends_RGA = is_way_RGA & (begun_RGA == lengths_RGA)
    has_ended_RG1 = ops.any(is_past_RGA, axis=2, keepdims=True)
    has_RG1 = has_ended_RG1 | ops.any(ends_RGA, axis=2, keepdims=True)
    # What is there only until its word goes on.
    lost_RG1 = ops.where(has_RG1 & ~has_ended_RG1, shortest_RG1, 0)
    lost_R11 = ops.sum(lost_RG1, axis=1, keepdims=True)
    begun_RGA, goes_on_RGA = within_word(terms_RGAP, begun_RGA, lost_R11, is_inner_V)
    is_longer_RGA = goes_on_RGA & ~ends_RGA & ~has_ended_RG1
    is_open_RGA = is_way_RGA & (~has_RG1 | is_longer_RGA)
    next_RGA = next_of(terms_RGAP, begun_RGA)
    more_RGA = lengths_RGA - begun_RGA - shortest_RG1
    more_RGA = more_RGA + ops.where(goes_on_RGA, lost_R11, 0)
    is_last_RGA = begun_RGA + 1 == lengths_RGA
    worth_RGA = ops.where(is_last_RGA, longest_RG1, begun_RGA + 1)

    def flat(x_RGA):
        return ops.reshape(x_RGA, (-1, x_RGA.shape[1] * x_RGA.shape[2]))

    return Standing(
        bank=ops.sum(ops.where(has_RG1, longest_RG1, 0), axis=1),
        missing=ops.sum(ops.where(has_RG1, 0, shortest_RG1), axis=1),
        next=flat(ops.where(is_open_RGA, next_RGA, NO_TOKEN)),
        more=flat(more_RGA),
        worth=flat(ops.where(is_open_RGA & ~has_RG1, worth_RGA, 0)),
        ends=lost_R11[:, 0] > 0,
    )


def within_word(terms_RGAP, begun_RGA, lost_R11, is_inner_V):
    """How many tokens each way has, and whether it goes on with the last word.

    One that would lose more than it has begins anew instead.
    """
    if is_inner_V is None:
        return begun_RGA, begun_RGA < 0
    is_next_inner_RGA = is_inner_of(next_of(terms_RGAP, begun_RGA), is_inner_V)
    goes_on_RGA = (begun_RGA > 0) & is_next_inner_RGA
    is_dear_RGA = goes_on_RGA & (lost_R11 > begun_RGA)
    return ops.where(is_dear_RGA, 0, begun_RGA), goes_on_RGA & ~is_dear_RGA


def next_of(terms_RGAP, begun_RGA):
    """The token of each way that comes after so many of its tokens."""
    last = terms_RGAP.shape[3] - 1
    place_RGA1 = ops.expand_dims(ops.minimum(begun_RGA, last), 3)
    return ops.take_along_axis(terms_RGAP, place_RGA1, axis=3)[..., 0]


def is_inner_of(tokens, is_inner_V):
    """Whether each token goes on with a word; `NO_TOKEN` does not."""
    is_inner = ops.take(ops.convert_to_tensor(is_inner_V), ops.maximum(tokens, 0))
    return (tokens >= 0) & is_inner


def found_in(terms_RGAP, lengths_RGA, tokens_RL, index, is_inner_V):
    """Whether each way is in the tokens, and how many of its own their end has.

    It is there where another token has come since that does not go on with its word.
    """
    positions = tokens_RL.shape[1]
    tokens_R11L = ops.reshape(tokens_RL, (-1, 1, 1, positions))
    is_end_L = ops.arange(positions) == index - 1
    is_followed_L = ops.arange(positions) < index - 1
    if is_inner_V is not None:
        is_inner_R11L = is_inner_of(tokens_R11L, is_inner_V)
        is_followed_L = is_followed_L & ~ops.roll(is_inner_R11L, -1, axis=3)
    is_past_RGA = lengths_RGA < 0
    begun_RGA = ops.zeros_like(lengths_RGA)
    # Where a way goes on, if its tokens so far end just before.
    goes_on_RGAL = ops.ones_like(tokens_R11L, dtype="bool")
    for number in range(terms_RGAP.shape[3]):
        is_next_RGAL = tokens_R11L == terms_RGAP[..., number : number + 1]
        here_RGAL = goes_on_RGAL & is_next_RGAL
        is_whole_RGA = lengths_RGA == number + 1
        has_passed_RGA = ops.any(here_RGAL & is_followed_L, axis=3)
        is_past_RGA = is_past_RGA | (is_whole_RGA & has_passed_RGA)
        is_begun_RGA = ops.any(here_RGAL & is_end_L, axis=3) & (lengths_RGA > number)
        begun_RGA = ops.where(is_begun_RGA, number + 1, begun_RGA)
        goes_on_RGAL = ops.pad(here_RGAL[..., :-1], [[0, 0], [0, 0], [0, 0], [1, 0]])
    return is_past_RGA, begun_RGA


def is_among(ids_1V, some_RN):
    """True `(R, V)` where an id is one of a row's."""
    count = some_RN.shape[1]
    return search.is_one_of(ids_1V, [some_RN[:, n : n + 1] for n in range(count)])


def by_bank(totals_BC, bank_BC, banks):
    """Numbers that order candidates: the best of each bank, then the second of each.

    Of those of one rank the fuller bank comes first; what is impossible stays so.
    """
    places_BC = ops.cast(ops.argsort(-totals_BC, axis=1), "int32")
    sorted_bank_BC = search.pick(bank_BC, places_BC)
    is_own_BCN = ops.expand_dims(sorted_bank_BC, 2) == ops.arange(banks)
    seen_BCN = ops.cumsum(ops.cast(is_own_BCN, "int32"), axis=1)
    rank_BC = ops.sum(ops.where(is_own_BCN, seen_BCN, 0), axis=2)
    back_BC = ops.cast(ops.argsort(places_BC, axis=1), "int32")
    rank_BC = search.pick(rank_BC, back_BC)
    order_BC = ops.cast(bank_BC - banks * rank_BC, "float32")
    return ops.where(totals_BC > search.IMPOSSIBLE, order_BC, search.IMPOSSIBLE)
