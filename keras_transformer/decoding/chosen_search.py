"""The search that a configuration asks for."""

import functools

from keras import ops

from . import cache as caches
from .beam_search import beam_search
from .sampling import sampling


def chosen_search(config, seeds=None):
    """The search of a `DecodingConfig`: a function with the arguments of `beam_search`.

    Args:
        config: the `DecodingConfig`.
        seeds: `(B, n_best)` int32, for sampling.

    Returns:
        a function that gives ids `(B, W, lengths[-1])` and scores `(B, W)` of the W
        hypotheses.
    """
    if config.search == "sampling":
        return functools.partial(several_samples, config, seeds)
    return functools.partial(
        beam_search,
        beam=1 if config.search == "greedy" else config.beam,
        length_penalty=config.length_penalty,
        penalty=config.penalty,
    )


def several_samples(
    config,
    seeds,
    step,
    cache,
    max_lengths,
    lengths,
    prefix=None,
    copies=None,
    prompt=None,
    **options,
):
    """The `n_best` samples of each sentence, as hypotheses."""
    given = (cache, max_lengths, prefix, copies, prompt)
    repeated = caches.repeat(given, config.n_best)
    cache, max_lengths, prefix, copies, prompt = repeated
    ids, scores = sampling(
        step,
        cache,
        max_lengths,
        lengths,
        prefix,
        seeds=ops.reshape(seeds, (-1,)),
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        copies=copies,
        prompt=prompt,
        **options,
    )
    ids = ops.reshape(ids, (-1, config.n_best, lengths[-1]))
    return ids, ops.reshape(scores, (-1, config.n_best))
