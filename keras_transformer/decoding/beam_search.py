"""Beam search with live and finished hypotheses kept apart."""

from typing import Any, NamedTuple

from keras import ops

from keras_transformer.decoding import cache as caches
from keras_transformer.decoding import search
from keras_transformer.text.special_tokens import END, PAD


class BeamState(NamedTuple):
    """W live and W finished hypotheses of each of B sentences, L positions at most.

    A sentence without a live hypothesis is over: nothing about it changes any more,
    however long its batch mates take.
    """

    index: Any  # () int32, the position to be generated
    last: Any  # (B, W) int32, the token before it
    live_tokens: Any  # (B, W, L) int32, generated so far, then PAD
    live_log_probs: Any  # (B, W) float32, best first; -inf where there is no hypothesis
    finished_tokens: Any  # (B, W, L) int32, END included, then PAD
    # (B, W) float32, log-probability / length penalty, best first; -inf where there is
    # none.
    finished_scores: Any
    # (B * W,) int32, the row of the cache that each live hypothesis continues.
    parents: Any
    # Leaves (B * W, ...), rows in the order of the live hypotheses one step before.
    cache: Any


def initial_state(cache, begin, max_lengths, beam, length, pad):
    """A `BeamState` with one empty live hypothesis a sentence, in the first slot."""
    first_BW = ops.expand_dims(max_lengths > 0, 1) & (ops.arange(beam) == 0)
    live_log_probs = ops.where(first_BW, 0.0, search.IMPOSSIBLE)
    tokens = ops.full((ops.shape(begin)[0], beam, length), pad, dtype="int32")
    return BeamState(
        index=ops.convert_to_tensor(0, "int32"),
        last=ops.repeat(ops.expand_dims(begin, 1), beam, axis=1),
        live_tokens=tokens,
        live_log_probs=live_log_probs,
        finished_tokens=tokens,
        finished_scores=ops.full_like(live_log_probs, search.IMPOSSIBLE),
        parents=caches.rows(ops.zeros_like(live_log_probs, dtype="int32"), beam),
        cache=caches.repeat(cache, beam),
    )


def beam_search(
    step,
    cache,
    begin,
    max_lengths,
    length,
    prefix=None,
    *,
    beam=4,
    length_penalty=0.6,
    penalty="gnmt",
    end=END,
    pad=PAD,
    never=search.NEVER,
    loop=search.run,
):
    """Keeps the `beam` best hypotheses of each sentence at every step.

    `score = log-probability / penalty(tokens)`, each hypothesis by its own number of
    tokens, END counted. Each step takes the 2 * beam best extensions: those that end
    among the best `beam` are finished and never charged again, the best others live on.
    A sentence is over when `beam` hypotheses are finished and no live one, as it
    stands, scores better than the worst of them; with `beam=1` that is greedy search. A
    hypothesis at its sentence's limit is finished as it is, without END. Nothing in the
    result for a sentence depends on its batch mates.

    Args:
        step: `step(ids (R,) int32, index () int32, cache) -> (logits (R, V), cache)`, R
            = B * beam.
        cache: Nested structure of arrays with B rows, repeated and then reordered with
            the hypotheses.
        begin: (B,) int32, the token before the first.
        max_lengths: (B,) int32, most tokens for each sentence, END counted; 0 for a
            sentence to skip.
        length: Longest of them all; or an increasing tuple of lengths, for a cache of
            `length[0]` positions on axis -2 that grows in such stages.
        prefix: (B, P) int32 or None, tokens that each translation must begin with,
            PAD-padded.
        beam: Hypotheses kept, W.
        length_penalty: Exponent of the penalty, 0 for none.
        penalty: "gnmt" or "power", see `search.length_penalty`.
        end, pad: The END and the PAD of the model.
        never: At most two tokens that are not generated.
        loop: What advances the `BeamState` to its end, as `search.run` does; another
            one may look at it on the way.

    Returns:
        tokens (B, W, length) int32, best first, END included and PAD after it; scores
        (B, W) float32, -inf where fewer than W hypotheses exist.

    Source: Wu et al. 2016, section 7 (penalty); the arrangement is that of Flax's
    `examples/wmt`.
    """
    lengths = (length,) if isinstance(length, int) else tuple(length)
    begin = ops.cast(begin, "int32")
    max_lengths = ops.cast(max_lengths, "int32")

    def advance(state):
        # Reordered here and not at the end of a step: so a compiler makes one pass of
        # it and of the step's writing.
        cache = caches.reorder(state.cache, state.parents)
        logits_RV, cache = step(ops.reshape(state.last, (-1,)), state.index, cache)
        forced_R = (
            None
            if prefix is None
            else ops.repeat(search.at(prefix, state.index, pad), beam)
        )
        # One row supplies at most `beam` extensions that live on, and one that ends.
        log_probs_RK, ids_RK = search.candidates(
            logits_RV, beam + 1, forced_R, pad, never
        )
        return extend(state, cache, log_probs_RK, ids_RK)

    def extend(state, cache, log_probs_RK, ids_RK):
        k = ids_RK.shape[1]
        totals_BWK = ops.expand_dims(state.live_log_probs, 2) + ops.reshape(
            log_probs_RK, (-1, beam, k)
        )
        log_probs_BC, choices_BC = ops.top_k(
            ops.reshape(totals_BWK, (-1, beam * k)), 2 * beam
        )
        choices_BC = ops.cast(choices_BC, "int32")
        ids_BC = search.pick(ops.reshape(ids_RK, (-1, beam * k)), choices_BC)
        parents_BC = choices_BC // k
        tokens_BCL = search.write(
            search.pick(state.live_tokens, parents_BC), ids_BC, state.index
        )
        index = state.index + 1
        ends_BC = (ids_BC == end) | ops.expand_dims(index >= max_lengths, 1)
        charge = search.length_penalty(index, length_penalty, penalty)

        new_scores_BW = ops.where(ends_BC, log_probs_BC / charge, search.IMPOSSIBLE)[
            :, :beam
        ]
        finished_scores, kept_BW = ops.top_k(
            ops.concatenate([state.finished_scores, new_scores_BW], axis=1), beam
        )
        finished_tokens = search.pick(
            ops.concatenate([state.finished_tokens, tokens_BCL[:, :beam]], axis=1),
            kept_BW,
        )

        live_log_probs, kept_BW = ops.top_k(
            ops.where(ends_BC, search.IMPOSSIBLE, log_probs_BC), beam
        )
        over_B1 = live_log_probs[:, :1] / charge <= finished_scores[:, -1:]
        return BeamState(
            index=index,
            last=search.pick(ids_BC, kept_BW),
            live_tokens=search.pick(tokens_BCL, kept_BW),
            live_log_probs=ops.where(over_B1, search.IMPOSSIBLE, live_log_probs),
            finished_tokens=finished_tokens,
            finished_scores=finished_scores,
            parents=caches.rows(search.pick(parents_BC, kept_BW), beam),
            cache=cache,
        )

    def going(state):
        return ops.any(state.live_log_probs > search.IMPOSSIBLE)

    state = loop(
        advance,
        going,
        initial_state(cache, begin, max_lengths, beam, lengths[-1], pad),
        lengths,
    )
    exists_BW1 = ops.expand_dims(state.finished_scores > search.IMPOSSIBLE, 2)
    return ops.where(exists_BW1, state.finished_tokens, pad), state.finished_scores
