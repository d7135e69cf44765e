"""Sampling with temperature, top-k and top-p.

The sample of a sentence is a function of its own seed.
"""

from typing import Any, NamedTuple

from keras import ops

from . import search


class SampleState(NamedTuple):
    """One hypothesis of each of B sentences, L positions at most."""

    # () int32, the position to be generated
    index: Any
    # (B,) int32, the token before it
    last: Any
    # (B, L) int32, generated so far, then PAD
    tokens: Any
    # (B,) float32, of the tokens so far
    log_probs: Any
    # (B,) bool, not ended and below its own limit
    live: Any
    # leaves (B, ...)
    cache: Any


def sampling(
    step,
    cache,
    max_lengths,
    lengths,
    prefix=None,
    free_prefix=0,
    *,
    seeds,
    temperature=1.0,
    top_k=0,
    top_p=1.0,
    special=search.OURS,
    copies=None,
    stops=None,
    prompt=None,
):
    """Draws each token from `softmax(logits / temperature)`.

    Args:
        step, cache, max_lengths, lengths, prefix, free_prefix, special, copies, stops,
            prompt: as for `beam_search`, with a beam of 1.
        seeds: (B,) int32, one for each sentence.
        temperature: above 0; below 1 sharpens the distribution, above 1 flattens it.
        top_k: draw among that many most probable tokens; 0 for all.
        top_p: draw among the most probable tokens that together have at least this
            probability, after temperature and top_k; 1 for all.

    Returns:
        tokens (B, lengths[-1]) int32, END included and PAD after it; scores (B,)
        float32, the log-probability of the tokens under the model itself, whatever the
        temperature and restrictions.

    Source: Holtzman et al. 2020, section 3 (top-p); Fan et al. 2018, section 5.1
    (top-k).
    """
    max_lengths = ops.cast(max_lengths, "int32")
    # All of the vocabulary when there is no top_k: `candidates` stops at its size.
    k = top_k or 1 << 30
    stops = stops or (special.end,)
    first_index, last_B1, given_B1 = search.start(prompt, max_lengths, special)
    given = given_B1[:, 0]

    def advance(state):
        last = ops.expand_dims(state.last, 1)
        logits, cache = step(last, state.cache, state.index)
        forced = search.forced_at(state.index, prefix, free_prefix, special)
        logits_BV = logits[:, 0]
        where = (state.tokens, max_lengths, state.index)
        vocabulary = logits_BV.shape[-1]
        closed = search.closed_by(copies, *where, special, vocabulary)
        limits = (stops, closed)
        log_probs, ids = search.candidates(logits_BV, k, special, *forced, *limits)
        probs = restricted(log_probs, temperature, top_k, top_p)
        column = draw(probs, uniform(seeds, state.index))
        is_chosen = ops.arange(ids.shape[1]) == column
        gained = ops.max(ops.where(is_chosen, log_probs, search.IMPOSSIBLE), axis=1)
        chosen = ops.max(ops.where(is_chosen, ids, 0), axis=1)
        ids = ops.where(state.live, chosen, special.pad)
        index = state.index + 1
        ends = search.is_one_of(ids, stops) & (state.index >= given)
        advanced = SampleState(
            index=index,
            last=ops.maximum(ids, 0),
            tokens=search.write(state.tokens, ids, state.index),
            log_probs=state.log_probs + ops.where(state.live, gained, 0.0),
            live=state.live & ~ends & (index < max_lengths),
            cache=cache,
        )
        return (advanced,)

    def going(state):
        return ops.any(state.live)

    start = (first_index, last_B1, cache, max_lengths)
    begun = initial_state(*start, lengths[-1], special)
    state = search.run(advance, going, begun, lengths)
    return state.tokens, state.log_probs


def initial_state(index, last_B1, cache, max_lengths, length, special):
    """A `SampleState` of empty hypotheses; those of limit 0 are over."""
    rows = ops.shape(max_lengths)[0]
    return SampleState(
        index=index,
        last=last_B1[:, 0],
        tokens=ops.full((rows, length), special.pad, dtype="int32"),
        log_probs=ops.zeros_like(max_lengths, dtype="float32"),
        live=max_lengths > 0,
        cache=cache,
    )


def restricted(log_probs_BK, temperature, top_k, top_p):
    """The probabilities to draw from, of candidates that come best first."""
    possible_BK = log_probs_BK > search.IMPOSSIBLE
    if top_k:
        count_BK = ops.cumsum(ops.cast(possible_BK, "int32"), axis=1)
        possible_BK = ops.logical_and(possible_BK, count_BK <= top_k)
    scaled_BK = ops.where(possible_BK, log_probs_BK / temperature, search.IMPOSSIBLE)
    probs_BK = ops.softmax(scaled_BK, axis=1)
    # A token is needed when those before it do not reach top_p.
    before_BK = ops.cumsum(probs_BK, axis=1) - probs_BK
    return ops.where(before_BK < top_p, probs_BK, 0.0)


def draw(probs_BK, uniform_B):
    """The column (B, 1) where a number in [0, 1) falls among the probabilities."""
    reached_BK = ops.cumsum(probs_BK, axis=1)
    target_B1 = ops.expand_dims(uniform_B, 1) * reached_BK[:, -1:]
    # The first token to pass the target; rounding may leave none, then the last that
    # has a probability.
    passed_B = ops.sum(ops.cast(reached_BK <= target_B1, "int32"), axis=1)
    columns_K = ops.arange(probs_BK.shape[1], dtype="int32")
    last_B = ops.max(ops.where(probs_BK > 0, columns_K, 0), axis=1)
    return ops.expand_dims(ops.minimum(passed_B, last_B), 1)


def uniform(seeds, index):
    """A number in [0, 1) for each seed (B,) int32 and position.

    It is the same alone, in any batch and on every backend. `keras.random` cannot do
    it: its seeds are not arrays. This is MurmurHash3's finaliser in wrapping 32-bit
    integers.
    """

    def shift(x, bits):
        """Shifts the bits to the right, as unsigned."""
        mask = (1 << (32 - bits)) - 1
        return ops.bitwise_and(ops.right_shift(x, bits), mask)

    def mix(x):
        for bits, factor in ((16, -2048144789), (13, -1028477387)):
            x = ops.bitwise_xor(x, shift(x, bits)) * factor
        return ops.bitwise_xor(x, shift(x, 16))

    position = (ops.cast(index, "int32") + 1) * -1640531527
    x = mix(mix(ops.cast(seeds, "int32")) + position)
    return ops.cast(shift(x, 8), "float32") * 2.0**-24
