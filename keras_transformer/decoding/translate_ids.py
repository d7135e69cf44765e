"""From source ids to the ids of translations: what a backend compiles."""

from keras import ops

from keras_transformer.decoding import cache as caches
from keras_transformer.decoding import search
from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.sampling import sampling
from keras_transformer.layers.masks import padding_mask


def translate_ids(
    model,
    config,
    lengths,
    source_ids,
    max_lengths,
    seeds=None,
    prefix=None,
    target_prefix=(),
    loop=search.run,
):
    """The translations of a batch of source ids.

    Args:
        model: a `Transformer`.
        config: a `DecodingConfig`.
        lengths: lengths of the cache, increasing; the last is the longest translation.
        source_ids: `(B, S)` int32, END included, the model's PAD after it.
        max_lengths: `(B,)` int32, most tokens of each translation; 0 for a row to skip.
        seeds: `(B, n_best)` int32, for sampling.
        prefix: `(B, P)` int32, what each translation must begin with, PAD after it, the
            target prefix included; or None for the target prefix alone.
        target_prefix: ids with which all translations begin at no cost, as those of a
            `SentenceFormat`.
        loop: that of `beam_search`.

    Returns:
        ids `(B, W, lengths[-1])` and scores `(B, W)` of the W hypotheses.
    """
    decoder = model.decoder
    special = model.config.special
    source_mask = padding_mask(source_ids, special.pad)
    cross_cache = decoder.cross_cache(model.encoder(source_ids, source_mask))
    if prefix is None and target_prefix:
        every_row = ops.convert_to_tensor([target_prefix], dtype="int32")
        prefix = ops.expand_dims(ops.zeros_like(max_lengths), 1) + every_row

    def step(ids, index, self_cache):
        cache = (self_cache, cross_cache)
        new_ids = ops.expand_dims(ids, 1)
        logits, (self_cache, _) = decoder.step(new_ids, cache, index, source_mask)
        return logits[:, 0], self_cache

    rows = ops.shape(source_ids)[0]
    self_cache = decoder.empty_self_cache(rows, lengths[0])
    forced = (prefix, len(target_prefix))
    if config.search == "sampling":
        repeated = caches.repeat((self_cache, max_lengths), config.n_best)
        if prefix is not None:
            forced = (caches.repeat(prefix, config.n_best), len(target_prefix))
        ids, scores = sampling(
            step,
            *repeated,
            lengths,
            *forced,
            seeds=ops.reshape(seeds, (-1,)),
            temperature=config.temperature,
            top_k=config.top_k,
            top_p=config.top_p,
            special=special,
        )
        ids = ops.reshape(ids, (-1, config.n_best, lengths[-1]))
        return ids, ops.reshape(scores, (-1, config.n_best))
    return beam_search(
        step,
        self_cache,
        max_lengths,
        lengths,
        *forced,
        beam=1 if config.search == "greedy" else config.beam,
        length_penalty=config.length_penalty,
        penalty=config.penalty,
        special=special,
        loop=loop,
    )
