"""Sampling with temperature, top-k and top-p; the sample of a sentence is a function of its own seed."""

from keras import ops

from keras_transformer.decoding import search
from keras_transformer.decoding.greedy import follow
from keras_transformer.text.special_tokens import END, PAD


def uniform(seeds, index):
    """A number in [0, 1) for each seed (B,) int32 and position: the same alone, in any batch and on every backend.

    `keras.random` cannot do it: its seeds are not arrays. This is MurmurHash3's
    finaliser in wrapping 32-bit integers.
    """

    def shift(x, bits):  # of the bits as unsigned
        return ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)

    def mix(x):
        for bits, factor in ((16, -2048144789), (13, -1028477387)):
            x = ops.bitwise_xor(x, shift(x, bits)) * factor
        return ops.bitwise_xor(x, shift(x, 16))

    x = mix(
        mix(ops.cast(seeds, "int32")) + (ops.cast(index, "int32") + 1) * -1640531527
    )
    return ops.cast(shift(x, 8), "float32") * 2.0**-24


def sampling(
    step,
    cache,
    begin,
    max_lengths,
    length,
    prefix=None,
    *,
    seeds,
    temperature=1.0,
    top_k=0,
    top_p=1.0,
    end=END,
    pad=PAD,
    never=search.NEVER,
):
    """Draws each token from `softmax(logits / temperature)`, restricted to its most probable tokens.

    Args:
        step, cache, begin, max_lengths, length, prefix, end, pad, never: As for
            `greedy`.
        seeds: (B,) int32, one for each sentence.
        temperature: Above 0; below 1 sharpens the distribution, above 1 flattens it.
        top_k: Draw among that many most probable tokens; 0 for all.
        top_p: Draw among the most probable tokens that together have at least this
            probability, after temperature and top_k; 1 for all.

    Returns:
        tokens (B, length) int32, END included and PAD after it; scores (B,) float32,
        the log-probability of the tokens under the model itself, whatever the
        temperature and restrictions.

    Source: Holtzman et al. 2020, section 3 (top-p); Fan et al. 2018, section 5.1
    (top-k).
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0; received {temperature!r}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1; received {top_p!r}")
    if top_k < 0:
        raise ValueError(f"top_k must be 0 (all tokens) or more; received {top_k!r}")

    def choose(log_probs_BK, ids_BK, index):
        possible_BK = log_probs_BK > search.IMPOSSIBLE
        if top_k:
            possible_BK = possible_BK & (
                ops.cumsum(ops.cast(possible_BK, "int32"), axis=1) <= top_k
            )
        probs_BK = ops.softmax(
            ops.where(possible_BK, log_probs_BK / temperature, search.IMPOSSIBLE),
            axis=1,
        )
        # Candidates come best first: a token is needed when those before it do not
        # reach top_p.
        probs_BK = ops.where(
            ops.cumsum(probs_BK, axis=1) - probs_BK < top_p, probs_BK, 0.0
        )
        reached_BK = ops.cumsum(probs_BK, axis=1)
        target_B1 = ops.expand_dims(uniform(seeds, index), 1) * reached_BK[:, -1:]
        # The first token to pass the target; rounding may leave none, then the last
        # that has a probability.
        passed_B = ops.sum(ops.cast(reached_BK <= target_B1, "int32"), axis=1)
        last_B = ops.max(
            ops.where(probs_BK > 0, ops.arange(ids_BK.shape[1]), 0), axis=1
        )
        return ops.minimum(passed_B, ops.cast(last_B, "int32"))

    # All of the vocabulary when there is no top_k: `candidates` stops at its size.
    state = follow(
        step,
        cache,
        begin,
        max_lengths,
        length,
        choose,
        top_k or 1 << 30,
        prefix,
        end,
        pad,
        never,
    )
    return state.tokens, state.log_probs
