"""One hypothesis a sentence: the loop, and its simplest use."""

from typing import Any, NamedTuple

from keras import ops

from keras_transformer.decoding import search
from keras_transformer.text.special_tokens import END, PAD


class PathState(NamedTuple):
    """One hypothesis of each of B sentences, L positions at most."""

    index: Any  # () int32, the position to be generated
    last: Any  # (B,) int32, the token before it
    tokens: Any  # (B, L) int32, generated so far, then PAD
    log_probs: Any  # (B,) float32, of the tokens so far
    lengths: Any  # (B,) int32, tokens so far, END counted
    live: Any  # (B,) bool, not ended and below its own limit
    cache: Any  # leaves (B, ...)


def follow(
    step,
    cache,
    begin,
    max_lengths,
    length,
    choose,
    k,
    prefix=None,
    end=END,
    pad=PAD,
    never=search.NEVER,
):
    """Extends one hypothesis a sentence by `choose(log_probs (B, K), ids (B, K), index) -> columns (B,)` until it ends.

    Returns:
        The last `PathState`.
    """
    lengths = (length,) if isinstance(length, int) else tuple(length)
    begin = ops.cast(begin, "int32")
    max_lengths = ops.cast(max_lengths, "int32")
    state = PathState(
        index=ops.convert_to_tensor(0, "int32"),
        last=begin,
        tokens=ops.full((ops.shape(begin)[0], lengths[-1]), pad, dtype="int32"),
        log_probs=ops.zeros_like(begin, dtype="float32"),
        lengths=ops.zeros_like(begin),
        live=max_lengths > 0,
        cache=cache,
    )

    def advance(state):
        logits, cache = step(state.last, state.index, state.cache)
        forced = None if prefix is None else search.at(prefix, state.index, pad)
        log_probs, ids = search.candidates(logits, k, forced, pad, never)
        chosen = ops.arange(ids.shape[1]) == ops.expand_dims(
            choose(log_probs, ids, state.index), 1
        )
        ids = ops.where(state.live, ops.max(ops.where(chosen, ids, 0), axis=1), pad)
        gained = ops.max(ops.where(chosen, log_probs, search.IMPOSSIBLE), axis=1)
        index = state.index + 1
        return PathState(
            index=index,
            last=ids,
            tokens=search.write(state.tokens, ids, state.index),
            log_probs=state.log_probs + ops.where(state.live, gained, 0.0),
            lengths=ops.where(state.live, index, state.lengths),
            live=state.live & (ids != end) & (index < max_lengths),
            cache=cache,
        )

    return search.run(advance, lambda state: ops.any(state.live), state, lengths)


def greedy(
    step,
    cache,
    begin,
    max_lengths,
    length,
    prefix=None,
    *,
    length_penalty=0.6,
    penalty="gnmt",
    end=END,
    pad=PAD,
    never=search.NEVER,
):
    """Takes the most probable token at every step; the same as `beam_search` with a beam of 1.

    Args:
        step: `step(ids (B,) int32, index () int32, cache) -> (logits (B, V), cache)`.
        cache: Nested structure of arrays with B rows, handed from step to step.
        begin: (B,) int32, the token before the first.
        max_lengths: (B,) int32, most tokens for each sentence, END counted; 0 for a
            sentence to skip. A hypothesis that reaches its limit is taken as it is,
            without END.
        length: Longest of them all; or an increasing tuple of lengths, for a cache of
            `length[0]` positions on axis -2 that grows in such stages.
        prefix: (B, P) int32 or None, tokens that each translation must begin with,
            PAD-padded.
        length_penalty: Exponent of the penalty, 0 for none.
        penalty: "gnmt" or "power", see `search.length_penalty`.
        end, pad: The END and the PAD of the model.
        never: At most two tokens that are not generated.

    Returns:
        tokens (B, length) int32, END included and PAD after it; scores (B,) float32,
        log-probability / length penalty.
    """

    # Candidates come best first, impossible ones are -inf: the first largest is the
    # best possible one.
    def choose(log_probs, ids, index):
        return ops.argmax(log_probs, axis=1)

    state = follow(
        step, cache, begin, max_lengths, length, choose, 1, prefix, end, pad, never
    )
    return state.tokens, state.log_probs / search.length_penalty(
        ops.maximum(state.lengths, 1), length_penalty, penalty
    )
