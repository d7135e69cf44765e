"""Beam search with live and finished hypotheses kept apart."""

from typing import Any, NamedTuple

from keras import ops

from . import cache as caches
from . import search


class BeamState(NamedTuple):
    """W live and W finished hypotheses of each of B sentences, L positions at most.

    A sentence without a live hypothesis is over: nothing about it changes any more,
    however long its batch mates take.
    """

    # () int32, the position to be generated
    index: Any
    # (B, W) int32, the token before it
    last: Any
    # (B, W, L) int32, generated so far, then PAD
    live_tokens: Any
    # (B, W) float32, best first; -inf where there is no hypothesis
    live_log_probs: Any
    # (B, W, L) int32, END included, then PAD
    finished_tokens: Any
    # (B, W) float32, log-probability / length penalty, best first; -inf for none
    finished_scores: Any
    # (B, W) int32, the hypothesis, one step before, that each live one continues
    parents: Any
    # leaves (B * W, ...), of the hypotheses one step before
    cache: Any


class BeamSearch(search.Search):
    """Keeps the `beam` best hypotheses of each sentence at every step.

    `score = log-probability / penalty(tokens)`, each hypothesis by its own number of
    tokens, END counted and a prompt not. Each step takes the 2 * beam best extensions,
    more if there are several stops: those that end among the best `beam` are finished
    and never charged again, the best others live on. A sentence is over when `beam`
    hypotheses are finished and no live one, as it stands, scores better than the worst
    of them; a beam of 1 is greedy search. A hypothesis at its sentence's limit is
    finished as it is, without END. Nothing in the result for a sentence depends on its
    batch mates.

    Args:
        step: as in `Search`.
        beam: hypotheses kept, W.
        length_penalty: exponent of the penalty, 0 for none.
        penalty: "gnmt" or "power", see `search.length_penalty`.
        **options: those of `Search`.

    Source: Wu et al. 2016, section 7 (penalty); the arrangement is that of Flax's
    `examples/wmt`.
    """

    def __init__(self, step, beam=4, length_penalty=0.6, penalty="gnmt", **options):
        super().__init__(step, beam, **options)
        self.length_penalty = length_penalty
        self.penalty = penalty

    def begin(self, request, cache, length, index=0):
        """A `BeamState` with one empty live hypothesis a sentence, in the first slot.

        Args:
            request: a `Request`.
            cache: nested structure of arrays with B rows, repeated and then reordered
                with the hypotheses.
            length: the longest of all limits, L.
            index: positions that the cache holds already.
        """
        beam = self.width
        is_wanted_B1 = ops.expand_dims(request.max_lengths > 0, 1)
        first_BW = is_wanted_B1 & (ops.arange(beam) == 0)
        live_log_probs = ops.where(first_BW, 0.0, search.IMPOSSIBLE)
        tokens = self.first_text(request, length, index)
        return BeamState(
            index=ops.convert_to_tensor(index, "int32"),
            last=self.first_tokens(request),
            live_tokens=tokens,
            live_log_probs=live_log_probs,
            finished_tokens=tokens,
            finished_scores=ops.full_like(live_log_probs, search.IMPOSSIBLE),
            parents=ops.zeros_like(live_log_probs, dtype="int32"),
            cache=caches.repeat(cache, beam),
        )

    def advance(self, request, state):
        """The next `BeamState`."""
        beam = self.width
        cache = state.cache
        if beam > 1:
            # A compiler makes one pass of this reordering and of the step's writing.
            cache = caches.reorder(cache, caches.rows(state.parents, beam))
        last_R1 = ops.reshape(state.last, (-1, 1))
        logits, cache = self.step(last_R1, cache, state.index, *request.memory)
        log_probs_RK, ids_RK = self.next_tokens(
            request,
            logits,
            state.live_tokens,
            state.index,
            self.most_of_row(request),
        )
        return self.extend(request, state, cache, log_probs_RK, ids_RK)

    def most_of_row(self, request):
        """How many extensions a row supplies: some that live on, and those that end."""
        return self.width + len(self.stops)

    def extend(self, request, state, cache, log_probs_RK, ids_RK):
        """The next `BeamState`, from rows' candidates and the cache after the step."""
        beam = self.width
        k = ids_RK.shape[1]
        gained_BWK = ops.reshape(log_probs_RK, (-1, beam, k))
        totals_BWK = ops.expand_dims(state.live_log_probs, 2) + gained_BWK
        totals_BN = ops.reshape(totals_BWK, (-1, beam * k))
        # Of each hypothesis as many may end as there are stops.
        count = beam * (1 + len(self.stops))
        ids_BN = ops.reshape(ids_RK, (-1, beam * k))
        log_probs_BC, choices_BC = self.choose(request, totals_BN, ids_BN, count)
        choices_BC = ops.cast(choices_BC, "int32")
        ids_BC = search.pick(ids_BN, choices_BC)
        parents_BC = choices_BC // k
        before_BCL = search.pick(state.live_tokens, parents_BC)
        tokens_BCL = search.write(before_BCL, ids_BC, state.index)
        index = state.index + 1
        given_B1 = self.given(request)
        ends_BC = search.is_one_of(ids_BC, self.stops) & (state.index >= given_B1)
        ends_BC = ends_BC | ops.expand_dims(index >= request.max_lengths, 1)

        # What a hypothesis that ends now is charged for its length.
        written_B1 = ops.maximum(index - given_B1, 1)
        charge_B1 = search.length_penalty(written_B1, self.length_penalty, self.penalty)
        scores_BC = ops.where(ends_BC, log_probs_BC / charge_B1, search.IMPOSSIBLE)
        finished_tokens, finished_scores = self.finish(
            state, tokens_BCL[:, :beam], scores_BC[:, :beam]
        )

        live_BC = ops.where(ends_BC, search.IMPOSSIBLE, log_probs_BC)
        live_log_probs, kept_BW = self.keep(live_BC)
        is_over_B1 = live_log_probs[:, :1] / charge_B1 <= finished_scores[:, -1:]
        return BeamState(
            index=index,
            last=search.pick(ids_BC, kept_BW),
            live_tokens=search.pick(tokens_BCL, kept_BW),
            live_log_probs=ops.where(is_over_B1, search.IMPOSSIBLE, live_log_probs),
            finished_tokens=finished_tokens,
            finished_scores=finished_scores,
            parents=search.pick(parents_BC, kept_BW),
            cache=cache,
        )

    def finish(self, state, tokens_BWL, scores_BW):
        """The tokens and scores of the best finished hypotheses, old and new.

        A new one that has not ended has a score of -inf.
        """
        count = state.finished_scores.shape[1]
        scores_BN = ops.concatenate([state.finished_scores, scores_BW], axis=1)
        tokens_BNL = ops.concatenate([state.finished_tokens, tokens_BWL], axis=1)
        finished_scores, kept_BW = ops.top_k(scores_BN, count)
        return search.pick(tokens_BNL, kept_BW), finished_scores

    def choose(self, request, totals_BN, ids_BN, count):
        """The log-probabilities and the places of the best extensions, best first."""
        return ops.top_k(totals_BN, count)

    def keep(self, live_BC):
        """Those that live on, of what was chosen: likewise."""
        return ops.top_k(live_BC, self.width)

    def live(self, state):
        """True `(B,)` where a sentence has a live hypothesis."""
        return ops.any(state.live_log_probs > search.IMPOSSIBLE, axis=1)

    def result(self, state):
        """The finished hypotheses.

        Returns:
            tokens (B, W, L) int32, best first, END included and PAD after it; scores
            (B, W) float32, -inf where fewer than W hypotheses exist.
        """
        exists_BW1 = ops.expand_dims(state.finished_scores > search.IMPOSSIBLE, 2)
        tokens = ops.where(exists_BW1, state.finished_tokens, self.special.pad)
        return tokens, state.finished_scores


def beam_search(
    step,
    cache,
    max_lengths,
    lengths,
    prefix=None,
    *,
    copied=None,
    loop=None,
    **options,
):
    """A whole `BeamSearch`, in one graph.

    Args:
        step: as in `Search`.
        cache: nested structure of arrays with B rows.
        max_lengths, prefix, copied: as in `Request`.
        lengths: increasing tuple, the longest of all limits the last: a cache of
            `lengths[0]` positions on axis -2 grows in these stages.
        loop: what advances the `BeamState` to its end, as `loop.run` does; another
            one may look at it on the way.
        **options: those of `BeamSearch`.

    Returns:
        tokens and scores, as `BeamSearch.result`.
    """
    max_lengths = ops.cast(max_lengths, "int32")
    request = search.Request(max_lengths, prefix=prefix, copied=copied)
    return BeamSearch(step, **options)(request, cache, lengths, loop)
