"""From source ids to the ids of translations: what a backend compiles."""

from keras import ops

from ..layers.masks import padding_mask
from . import cache as caches
from . import search
from .chosen_search import chosen_search

# Tokens beyond its source's length that nearly every translation stays within.
SLACK = 8


class TranslationSearch:
    """How the search for a batch of translations begins, and goes on.

    Args:
        model: a `Transformer`.
        config: a `DecodingConfig`.
        target_prefix: ids with which all translations begin at no cost, as those of a
            `SentenceFormat`.
        first_copied: the first of the tokens that are copied; the others come after it.
        **terms: of a `TermSearch`: `places` and `is_inner`.
    """

    def __init__(self, model, config, target_prefix=(), first_copied=0, **terms):
        self.model = model
        self.config = config
        self.target_prefix = target_prefix
        self.search = chosen_search(
            config,
            model.decoder.step,
            special=model.config.special,
            free_prefix=len(target_prefix),
            first_copied=first_copied,
            **terms,
        )

    def lengths(self, source_ids, *others):
        """The lengths that the cache is to have, increasing, by the source's width."""
        longest = self.model.config.longest
        return cache_lengths(source_ids.shape[1], self.config, longest)

    def begin(
        self,
        source_ids,
        max_lengths,
        seeds=None,
        prefix=None,
        copied=None,
        terms=None,
        lengths=None,
    ):
        """The `Request` and the first state of a search.

        Args:
            source_ids: `(B, S)` int32, END included, the model's PAD after it.
            max_lengths: `(B,)` int32, most tokens of each translation; 0 for a row to
                skip.
            seeds: `(B, n_best)` int32, for sampling.
            prefix: `(B, P)` int32, what each translation must begin with, PAD after it,
                the target prefix included; the target prefix alone when absent, or when
                P is 0.
            copied: `(B, P)` int32, how often each translation must hold each of P
                tokens; no such tokens when absent, or when P is 0.
            terms: `(B, G, A, P)` int32, as in `Request`; none when absent.
            lengths: of the cache, increasing; the last is the longest translation.
                `lengths(source_ids)` when absent.
        """
        lengths = lengths or self.lengths(source_ids)
        decoder = self.model.decoder
        source_mask = padding_mask(source_ids, self.model.config.special.pad)
        memory = self.model.encoder(source_ids, source_mask)
        if prefix is None or prefix.shape[1] == 0:
            prefix = every_row(self.target_prefix, max_lengths)
        if copied is not None and copied.shape[1] == 0:
            copied = None
        request = search.Request(
            max_lengths,
            memory=(decoder.cross_cache(memory), source_mask),
            prefix=prefix,
            copied=copied,
            terms=terms,
            seeds=seeds,
        )
        cache = decoder.empty_cache(ops.shape(source_ids)[0], lengths[0])
        return request, self.search.begin(request, cache, lengths[-1])


def cache_lengths(width, config, longest):
    """The lengths of the cache for sources of that width, increasing."""
    wanted = (width // 2 + SLACK // 2, width + SLACK, width + config.extra_length)
    return caches.stages(wanted, longest)


def every_row(target_prefix, rows):
    """The target prefix `(B, P)` for each row; None if there is none."""
    if not target_prefix:
        return None
    ids = ops.convert_to_tensor([target_prefix], dtype="int32")
    return ops.expand_dims(ops.zeros_like(rows), 1) + ids
