"""From ids of prompts to the ids of what follows: what a backend compiles."""

from keras import ops

from . import search
from .chosen_search import chosen_search

# New tokens that a cache has room for at first, and then.
STAGES = (16, 64)


def generate_ids(
    model, config, stops, prefill_ids, prompt_ids, sizes, max_lengths, seeds
):
    """The continuations of a batch of prompts.

    The first positions, which all prompts have, are read at once; the rest of longer
    prompts is forced, token by token, at no cost.

    Args:
        model: a `CausalLM`.
        config: a `DecodingConfig`.
        stops: ids that end a continuation.
        prefill_ids: `(B, M)` int32, the first tokens of each prompt: less than any has.
        prompt_ids: `(B, P)` int32, each prompt as a whole, the model's PAD after it.
        sizes: `(B,)` int32, the tokens of each prompt.
        max_lengths: `(B,)` int32, most tokens of a prompt and its continuation but for
            the first; 0 for a row to skip.
        seeds: `(B, n_best)` int32, for sampling.

    Returns:
        ids `(B, W, L)`, those of the prompt without its first and then the
        continuation, and scores `(B, W)` of the W hypotheses.
    """
    decoder = model.decoder
    special = model.config.special
    lengths = stages(prompt_ids.shape[1], config.extra_length, model.config.longest)
    cache = decoder.empty_cache(ops.shape(prompt_ids)[0], lengths[0])
    read = prefill_ids.shape[1]
    if read:
        cache = decoder.prefill(prefill_ids, cache)
    prompt = search.Prompt(read, prompt_ids[:, read], sizes - 1)
    prefix = prompt_ids[:, 1:] if prompt_ids.shape[1] > 1 else None
    search_for = chosen_search(config, seeds)
    return search_for(
        decoder.step,
        cache,
        max_lengths,
        lengths,
        prefix,
        prompt=prompt,
        free_prefix=prompt_ids.shape[1],
        special=special,
        stops=stops,
    )


def stages(width, extra_length, longest):
    """The lengths of the cache for prompts of that width, increasing."""
    limit = width + extra_length
    if longest is not None:
        limit = min(limit, longest)
    wanted = [width + more for more in STAGES]
    return tuple(sorted({min(length, limit) for length in (*wanted, limit)}))
