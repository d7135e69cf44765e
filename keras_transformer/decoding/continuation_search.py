"""From ids of prompts to the ids of what follows: what a backend compiles."""

from keras import ops

from . import cache as caches
from . import search
from .chosen_search import chosen_search

# New tokens that a cache has room for at first, and then.
STAGES = (16, 64)
ALL = 1 << 30  # of a prompt's tokens cost nothing


class ContinuationSearch:
    """How the search for the continuations of a batch of prompts begins, and goes on.

    Args:
        model: a `CausalLM`.
        config: a `DecodingConfig`.
        stops: ids that end a continuation.
    """

    def __init__(self, model, config, stops):
        self.model = model
        self.config = config
        self.search = chosen_search(
            config,
            model.decoder.step,
            special=model.config.special,
            stops=stops,
            free_prefix=ALL,
        )

    def lengths(self, prefill_ids, prompt_ids, *others):
        """The lengths that the cache is to have, increasing, by the prompts' width."""
        more = (*STAGES, self.config.extra_length)
        wanted = [prompt_ids.shape[1] + length for length in more]
        return caches.stages(wanted, self.model.config.longest)

    def begin(self, prefill_ids, prompt_ids, sizes, max_lengths, seeds):
        """The `Request` and the first state of a search.

        The first positions, which all prompts have, are read at once; the rest of
        longer prompts is forced, token by token, at no cost.

        Args:
            prefill_ids: `(B, M)` int32, the first tokens of each prompt: less than any
                has.
            prompt_ids: `(B, P)` int32, each prompt as a whole, the model's PAD after
                it.
            sizes: `(B,)` int32, the tokens of each prompt.
            max_lengths: `(B,)` int32, most tokens of a prompt and its continuation but
                for the first; 0 for a row to skip.
            seeds: `(B, n_best)` int32, for sampling.
        """
        lengths = self.lengths(prefill_ids, prompt_ids)
        decoder = self.model.decoder
        cache = decoder.empty_cache(ops.shape(prompt_ids)[0], lengths[0])
        read = prefill_ids.shape[1]
        if read:
            cache = decoder.prefill(prefill_ids, cache)
        request = search.Request(
            max_lengths,
            prefix=prompt_ids[:, 1:] if prompt_ids.shape[1] > 1 else None,
            seeds=seeds,
            last=prompt_ids[:, read],
            first=prompt_ids[:, 0],
            given=sizes - 1,
        )
        return request, self.search.begin(request, cache, lengths[-1], read)
