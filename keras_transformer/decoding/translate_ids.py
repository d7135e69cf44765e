"""From source ids to the ids of translations: what a backend compiles."""

import functools

from keras import ops

from ..layers.masks import padding_mask
from . import search
from .chosen_search import chosen_search

# Tokens beyond its source's length that nearly every translation stays within.
SLACK = 8


def translate_ids(
    model,
    config,
    source_ids,
    max_lengths,
    seeds=None,
    prefix=None,
    copied=None,
    lengths=None,
    target_prefix=(),
    first_copied=0,
    **loop,
):
    """The translations of a batch of source ids.

    Args:
        model: a `Transformer`.
        config: a `DecodingConfig`.
        source_ids: `(B, S)` int32, END included, the model's PAD after it.
        max_lengths: `(B,)` int32, most tokens of each translation; 0 for a row to skip.
        seeds: `(B, n_best)` int32, for sampling.
        prefix: `(B, P)` int32, what each translation must begin with, PAD after it, the
            target prefix included; the target prefix alone when absent, or when P is 0.
        copied: `(B, P)` int32, how often each translation must hold each of P tokens;
            no such tokens when absent, or when P is 0.
        lengths: lengths of the cache, increasing; the last is the longest translation.
            When absent, they are chosen by S.
        target_prefix: ids with which all translations begin at no cost, as those of a
            `SentenceFormat`.
        first_copied: the first of the tokens of `copied`; the others come after it.
        **loop: `loop` of `beam_search`.

    Returns:
        ids `(B, W, lengths[-1])` and scores `(B, W)` of the W hypotheses.
    """
    decoder = model.decoder
    special = model.config.special
    lengths = lengths or stages(source_ids.shape[1], config, model.config.longest)
    source_mask = padding_mask(source_ids, special.pad)
    memory = model.encoder(source_ids, source_mask)
    step = functools.partial(
        decoder.step, cross_cache=decoder.cross_cache(memory), source_mask=source_mask
    )
    cache = decoder.empty_cache(ops.shape(source_ids)[0], lengths[0])
    if prefix is None or prefix.shape[1] == 0:
        prefix = every_row(target_prefix, max_lengths)
    copies = None
    if copied is not None and copied.shape[1] > 0:
        copies = search.Copies(first_copied, copied)
    search_for = chosen_search(config, seeds)
    return search_for(
        step,
        cache,
        max_lengths,
        lengths,
        prefix,
        copies=copies,
        free_prefix=len(target_prefix),
        special=special,
        **loop,
    )


def stages(width, config, longest):
    """The lengths of the cache for sources of that width, increasing."""
    limit = width + config.extra_length
    if longest is not None:
        limit = min(limit, longest)
    wanted = (width // 2 + SLACK // 2, width + SLACK, limit)
    return tuple(sorted({min(length, limit) for length in wanted}))


def every_row(target_prefix, rows):
    """The target prefix `(B, P)` for each row; None if there is none."""
    if not target_prefix:
        return None
    ids = ops.convert_to_tensor([target_prefix], dtype="int32")
    return ops.expand_dims(ops.zeros_like(rows), 1) + ids
