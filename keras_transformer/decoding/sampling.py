"""Sampling with temperature, top-k and top-p.

The sample of a sentence is a function of its own seed.
"""

from typing import Any, NamedTuple

from keras import ops

from . import cache as caches
from . import search


class SampleState(NamedTuple):
    """W samples of each of B sentences, L positions at most."""

    # () int32, the position to be generated
    index: Any
    # (B, W) int32, the token before it
    last: Any
    # (B, W, L) int32, generated so far, then PAD
    tokens: Any
    # (B, W) float32, of the tokens so far
    log_probs: Any
    # (B, W) bool, not ended and below its own limit
    live: Any
    # leaves (B * W, ...)
    cache: Any


class Sampling(search.Search):
    """Draws each token from `softmax(logits / temperature)`, by the request's seeds.

    Args:
        step: as in `Search`.
        samples: of each sentence, W.
        temperature: above 0; below 1 sharpens the distribution, above 1 flattens it.
        top_k: draw among that many most probable tokens; 0 for all.
        top_p: draw among the most probable tokens that together have at least this
            probability, after temperature and top_k; 1 for all.
        **options: those of `Search`.

    Source: Holtzman et al. 2020, section 3 (top-p); Fan et al. 2018, section 5.1
    (top-k).
    """

    def __init__(self, step, samples=1, temperature=1.0, top_k=0, top_p=1.0, **options):
        super().__init__(step, samples, **options)
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p

    def begin(self, request, cache, length, index=0):
        """A `SampleState` of empty samples; arguments as for `BeamSearch.begin`."""
        last_BW = self.first_tokens(request)
        is_wanted_B1 = ops.expand_dims(request.max_lengths > 0, 1)
        return SampleState(
            index=ops.convert_to_tensor(index, "int32"),
            last=last_BW,
            tokens=self.first_text(request, length, index),
            log_probs=ops.zeros_like(last_BW, dtype="float32"),
            live=ops.tile(is_wanted_B1, (1, self.width)),
            cache=caches.repeat(cache, self.width),
        )

    def advance(self, request, state):
        """The next `SampleState`."""
        # All of the vocabulary when there is no top_k: `candidates` stops at its size.
        k = self.top_k or 1 << 30
        last_R1 = ops.reshape(state.last, (-1, 1))
        logits, cache = self.step(last_R1, state.cache, state.index, *request.memory)
        log_probs, ids = self.next_tokens(request, logits, state.tokens, state.index, k)
        probs = restricted(log_probs, self.temperature, self.top_k, self.top_p)
        seeds_R = ops.reshape(request.seeds, (-1,))
        column = draw(probs, uniform(seeds_R, state.index))
        is_chosen = ops.arange(ids.shape[1]) == column
        gained_R = ops.max(ops.where(is_chosen, log_probs, search.IMPOSSIBLE), axis=1)
        chosen_R = ops.max(ops.where(is_chosen, ids, 0), axis=1)
        gained_BW = ops.reshape(gained_R, (-1, self.width))
        chosen_BW = ops.reshape(chosen_R, (-1, self.width))
        ids_BW = ops.where(state.live, chosen_BW, self.special.pad)
        index = state.index + 1
        may_end_B1 = state.index >= self.given(request)
        ends_BW = search.is_one_of(ids_BW, self.stops) & may_end_B1
        has_room_B1 = ops.expand_dims(index < request.max_lengths, 1)
        return SampleState(
            index=index,
            last=ops.maximum(ids_BW, 0),
            tokens=search.write(state.tokens, ids_BW, state.index),
            log_probs=state.log_probs + ops.where(state.live, gained_BW, 0.0),
            live=state.live & ~ends_BW & has_room_B1,
            cache=cache,
        )

    def live(self, state):
        """True `(B,)` where a sentence has a sample that has not ended."""
        return ops.any(state.live, axis=1)

    def result(self, state):
        """The samples.

        Returns:
            tokens (B, W, L) int32, END included and PAD after it; scores (B, W)
            float32, the log-probability of the tokens under the model itself, whatever
            the temperature and restrictions.
        """
        return state.tokens, state.log_probs


def restricted(log_probs_RK, temperature, top_k, top_p):
    """The probabilities to draw from, of candidates that come best first."""
    possible_RK = log_probs_RK > search.IMPOSSIBLE
    if top_k:
        count_RK = ops.cumsum(ops.cast(possible_RK, "int32"), axis=1)
        possible_RK = ops.logical_and(possible_RK, count_RK <= top_k)
    scaled_RK = ops.where(possible_RK, log_probs_RK / temperature, search.IMPOSSIBLE)
    probs_RK = ops.softmax(scaled_RK, axis=1)
    # A token is needed when those before it do not reach top_p.
    before_RK = ops.cumsum(probs_RK, axis=1) - probs_RK
    return ops.where(before_RK < top_p, probs_RK, 0.0)


def draw(probs_RK, uniform_R):
    """The column (R, 1) where a number in [0, 1) falls among the probabilities."""
    reached_RK = ops.cumsum(probs_RK, axis=1)
    target_R1 = ops.expand_dims(uniform_R, 1) * reached_RK[:, -1:]
    # The first token to pass the target; rounding may leave none, then the last that
    # has a probability.
    passed_R = ops.sum(ops.cast(reached_RK <= target_R1, "int32"), axis=1)
    columns_K = ops.arange(probs_RK.shape[1], dtype="int32")
    last_R = ops.max(ops.where(probs_RK > 0, columns_K, 0), axis=1)
    return ops.expand_dims(ops.minimum(passed_R, last_R), 1)


def uniform(seeds, index):
    """A number in [0, 1) for each seed (R,) int32 and position.

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
