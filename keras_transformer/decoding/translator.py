"""Sentences to sentences, with Keras."""

import zlib

import numpy as np
from keras import ops

from keras_transformer.config import DecodingConfig
from keras_transformer.data.buckets import bucket_edges
from keras_transformer.decoding import attention as attentions
from keras_transformer.decoding import cache as caches
from keras_transformer.decoding import search as searches
from keras_transformer.decoding import trace as traces
from keras_transformer.decoding.base_translator import (
    BaseTranslator,
    Hypothesis,
    check_pairs,
)
from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.compiled import compiled
from keras_transformer.decoding.greedy import greedy
from keras_transformer.decoding.sampling import sampling
from keras_transformer.layers.masks import padding_mask
from keras_transformer.text.special_tokens import PAD

LONG = 64  # source tokens above which a batch has few rows, for the sake of memory
# Tokens that nearly every translation stays within, beyond the length of its source.
SLACK = 8


class Translator(BaseTranslator):
    """Translates sentences with a `Transformer`.

    In float32 each sentence gets the same translation whatever is translated with it;
    in half precision rounding may depend on the shape of the batch. Sentences are
    sorted by length inside, and the compiled search meets few shapes: 1, 8 or
    `batch_size` rows, and every second bucket edge of source tokens.

    Args:
        model: a `Transformer`.
        source_tokenizer: the `Tokenizer` of the source language.
        target_tokenizer: that of the target language; the same one when absent.
        config: a `DecodingConfig`; the paper's search when absent.
            `dataclasses.replace` changes options.

    Raises:
        ValueError: if a tokenizer's vocabulary or its special ids are not the model's.

    Example:
        >>> from keras_transformer.config import preset
        >>> from keras_transformer.models import Transformer
        >>> from keras_transformer.text import Tokenizer
        >>> tokenizer = Tokenizer.train(["a man rides a bike", "a man rides a horse"], vocab_size=24)
        >>> translator = Translator(Transformer(preset("tiny", source_vocab_size=24, target_vocab_size=24)), tokenizer)
        >>> len(translator(["a man", "", "a horse"]))
        3

    Source: Vaswani et al. 2017, section 6.1.
    """

    def __init__(self, model, source_tokenizer, target_tokenizer=None, config=None):
        target_tokenizer = target_tokenizer or source_tokenizer
        for side, tokenizer in (
            ("source", source_tokenizer),
            ("target", target_tokenizer),
        ):
            expected = getattr(model.config, f"{side}_vocab_size")
            if tokenizer.vocab_size != expected:
                raise ValueError(
                    f"{side}_tokenizer must have the model's {expected} tokens; received {tokenizer.vocab_size}"
                )
        super().__init__(
            source_tokenizer,
            target_tokenizer,
            config or DecodingConfig(),
            model.config.longest,
        )
        expected = (model.config.pad_id, model.config.begin_id, model.config.end_id)
        if (
            found := (
                self.sentence_format.pad,
                self.sentence_format.begin,
                self.sentence_format.end,
            )
        ) != expected:
            raise ValueError(
                f"target_tokenizer must have the model's ids {expected} of pad, begin and end; received {found}"
            )
        self.model = model
        self._search_ids = compiled(self._search_batch, model)
        self._score_ids = compiled(self._score_batch, model)
        self._attend_ids = compiled(lambda *ids: attentions.forced(model, *ids), model)
        self._align_ids = compiled(
            lambda *ids: (attentions.aligning(attentions.forced(model, *ids)[2]),),
            model,
        )

    @classmethod
    def load(cls, run, config=None):
        """The translator of a run directory, as `keras-transformer train` leaves it."""
        from keras_transformer.runs.run import Run

        return Run.open(run).translator(config)

    def _search(self, texts, prefixes):
        results = [None] * len(texts)
        sources = self._encode_sources(texts)
        given, forced = list(self.sentence_format.target_prefix), None
        if prefixes is not None:
            forced = [given + ids for ids in self.target_tokenizer.encode(prefixes)]
        for batch, rows, edge in self._batches([len(source) for source in sources]):
            source_ids = self._rows(
                [sources[n] for n in batch],
                rows,
                edge,
                filler=[self.sentence_format.end],
            )
            limits = [
                min(len(sources[n]) + self.config.extra_length, self._limit)
                for n in batch
            ]
            limits = pad([limits], 1, rows)[0]  # 0 for a filler row: it is not searched
            seeds = [
                [self._seed(texts[n], k) for k in range(self.config.n_best)]
                for n in batch
            ]
            prefix = None
            if forced is not None:
                prefix = [forced[n] for n in batch]
                prefix = self._rows(prefix, rows, self._edge(max(map(len, prefix))))
            found = self._search_ids(
                source_ids, limits, pad(seeds, rows, self.config.n_best), prefix
            )
            for n, tokens, scores in zip(batch, *found, strict=False):
                results[n] = self._best(tokens, scores)
        return results

    def _token_scores(self, sources, labels):
        scores = [()] * len(sources)
        for batch, rows, edge in self._batches(
            [max(map(len, pair)) for pair in zip(sources, labels, strict=True)]
        ):
            source_ids = self._rows(
                [sources[n] for n in batch],
                rows,
                edge,
                filler=[self.sentence_format.end],
            )
            targets = [self.sentence_format.target(labels[n]) for n in batch]
            target_ids = self._rows(
                targets, rows, edge, filler=[self.sentence_format.begin]
            )
            (found,) = self._score_ids(
                source_ids,
                target_ids,
                self._rows([labels[n] for n in batch], rows, edge),
            )
            given = len(self.sentence_format.target_prefix)
            for n, score in zip(batch, found, strict=False):
                scores[n] = [0.0] * given + score[given : len(labels[n])].tolist()
        return scores

    def attention(
        self, source: str, target: str | Hypothesis | None = None
    ) -> attentions.AttentionWeights:
        """The attention weights of all layers and heads for a sentence and its translation, this one's when absent."""
        if target is None:
            target = self.hypotheses([source])[0][0]
        (source_ids,), (target_ids,) = (
            self._encode_sources([source]),
            self._text_ids([target]),
        )
        labels = self.sentence_format.labels(target_ids)
        inputs = self.sentence_format.target(labels)
        width = self._edge(max(len(source_ids), len(inputs)))
        found = self._attend_ids(
            self._rows([source_ids], 1, width), self._rows([inputs], 1, width)
        )
        sizes = [
            (len(rows), len(columns))
            for rows, columns in (
                (source_ids,) * 2,
                (inputs,) * 2,
                (inputs, source_ids),
            )
        ]
        weights = [
            array[:, 0, :, :rows, :columns]
            for array, (rows, columns) in zip(found, sizes)
        ]
        pieces = self.target_tokenizer.pieces
        return attentions.AttentionWeights(
            tuple(self.source_tokenizer.pieces[number] for number in source_ids),
            tuple(pieces[number] for number in inputs),
            tuple(pieces[number] for number in labels),
            *weights,
        )

    def alignments(
        self, sources: list[str], targets: list[str | Hypothesis]
    ) -> list[list[tuple[int, int]]]:
        """Which word of each source a word of its translation comes from: pairs of word numbers, `(source, target)`.

        Words are what whitespace separates, numbered from 0. Each target word is linked
        to one source word, by the rule of `decoding.attention.aligning`, in which
        punctuation written with a word does not count. A sentence without words, on
        either side, has no links.

        Args:
            sources: sentences.
            targets: a translation of each: any text, or a `Hypothesis`, whose tokens
                are taken as they are.

        Raises:
            ValueError: if there are not as many targets as sources, or one of them is a
                string.
        """
        check_pairs(sources, targets)
        source_ids, target_ids = self._encode_sources(sources), self._text_ids(targets)
        source, target = (
            (tokenizer, tokenizer.pieces)
            for tokenizer in (self.source_tokenizer, self.target_tokenizer)
        )
        links, sentence_format = [[] for _ in sources], self.sentence_format
        inputs = [
            sentence_format.target(sentence_format.labels(ids)) for ids in target_ids
        ]
        before, given = (
            len(sentence_format.source_prefix),
            len(sentence_format.target_prefix),
        )
        for batch, rows, edge in self._batches(
            [max(map(len, pair)) for pair in zip(source_ids, inputs)]
        ):
            (found,) = self._align_ids(
                self._rows(
                    [source_ids[n] for n in batch],
                    rows,
                    edge,
                    filler=[sentence_format.end],
                ),
                self._rows(
                    [inputs[n] for n in batch],
                    rows,
                    edge,
                    filler=[sentence_format.begin],
                ),
            )
            for n, weights in zip(batch, found, strict=False):
                text = (
                    targets[n].text
                    if isinstance(targets[n], Hypothesis)
                    else targets[n]
                )
                inner = source_ids[n][
                    before : len(source_ids[n]) - len(sentence_format.source_suffix)
                ]
                words = (
                    attentions.words_of(*source, inner, sources[n]),
                    attentions.words_of(*target, target_ids[n], text),
                )
                links[n] = attentions.links(weights[given:, before:], *words)
        return links

    def _text_ids(self, targets):
        """The ids of each translation, without what stands around them."""
        texts = self.target_tokenizer.encode(
            [t.text if isinstance(t, Hypothesis) else t for t in targets]
        )
        end, given = self.sentence_format.end, len(self.sentence_format.target_prefix)
        return [
            [number for number in target.tokens[given:] if number != end]
            if isinstance(target, Hypothesis)
            else ids
            for target, ids in zip(targets, texts, strict=True)
        ]

    def trace(self, text: str) -> list[traces.BeamStep]:
        """What beam search held after each of its steps for one sentence: for pictures, step by step and not compiled.

        Raises:
            ValueError: if the configuration's search is another.
        """
        if self.config.search != "beam":
            raise ValueError(
                f"search must be 'beam' for a trace; received {self.config.search!r}"
            )
        (source_ids,) = self._encode_sources([text])
        limit = int(min(len(source_ids) + self.config.extra_length, self._limit))
        states = []
        arrays = np.array([source_ids], "int32"), np.array([limit], "int32")
        given = self.sentence_format.target_prefix
        translate_ids(
            self.model,
            self.config,
            (limit,),
            *arrays,
            given=given,
            loop=traces.recorder(states),
        )
        return [
            traces.step(state, self.target_tokenizer.pieces, self.sentence_format.pad)
            for state in states
        ]

    def _rows(self, lists, rows, width, filler=()):
        return pad(lists, rows, width, filler, self.sentence_format.pad)

    def _edge(self, length):
        """The width of the arrays for that many tokens: every second bucket edge, as each costs a compilation."""
        edges = bucket_edges(max(length, self._longest))
        return next(edge for edge in (*edges[1::2], edges[-1]) if edge >= length)

    def _batches(self, lengths):
        """Cuts sentences, sorted by length, into batches: (indices, rows of the arrays, width of the arrays)."""
        order = np.argsort(lengths, kind="stable")
        start, full = 0, self.config.batch_size
        while start < len(order):
            batch = order[start : start + full]
            if lengths[batch[-1]] > LONG:
                batch = batch[:8]
            rows = next(
                rows for rows in sorted({1, min(8, full), full}) if rows >= len(batch)
            )
            yield batch, rows, self._edge(lengths[batch[-1]])
            start += len(batch)

    def _seed(self, text, sample):
        return zlib.crc32(f"{self.config.seed} {sample} {text}".encode()) >> 1

    def _best(self, tokens_WL, scores_W):
        best = [
            w for w in np.argsort(-scores_W, kind="stable") if scores_W[w] > -np.inf
        ][: self.config.n_best]
        if not best:
            raise ValueError(
                f"the model must give finite scores; received {scores_W.tolist()}: its weights are broken"
            )
        return self._hypotheses(
            [
                [int(i) for i in tokens_WL[w] if i != self.sentence_format.pad]
                for w in best
            ],
            scores_W[best],
        )

    def _search_batch(self, source_ids, max_lengths, seeds, prefix):
        width = source_ids.shape[1]
        limit = int(min(width + self.config.extra_length, self._limit))
        lengths = tuple(
            sorted(
                {
                    min(length, limit)
                    for length in (width // 2 + SLACK // 2, width + SLACK, limit)
                }
            )
        )
        given = self.sentence_format.target_prefix
        return translate_ids(
            self.model,
            self.config,
            lengths,
            source_ids,
            max_lengths,
            seeds,
            prefix,
            given,
        )

    def _score_batch(self, source_ids, target_ids, labels):
        """Ids (B, S), (B, T), (B, T) -> (log-probabilities (B, T),)."""
        logits = ops.cast(
            self.model(
                {"source_ids": source_ids, "target_ids": target_ids}, training=False
            ),
            "float32",
        )
        chosen = ops.squeeze(
            ops.take_along_axis(logits, ops.expand_dims(labels, 2), axis=2), 2
        )
        log_probs = chosen - ops.logsumexp(logits, axis=2)
        return (log_probs,)


def translate_ids(
    model,
    config,
    lengths,
    source_ids,
    max_lengths,
    seeds=None,
    prefix=None,
    given=(),
    loop=searches.run,
):
    """What the backend compiles: the translations of a batch of source ids.

    Args:
        model: a `Transformer`.
        config: a `DecodingConfig`.
        lengths: lengths of the cache, increasing; the last is the longest translation.
        source_ids: `(B, S)` int32, END included, the model's PAD after it.
        max_lengths: `(B,)` int32, most tokens of each translation; 0 for a row to skip.
        seeds: `(B, n_best)` int32, for sampling.
        prefix: `(B, P)` int32, what each translation must begin with, PAD after it; or
            None.
        given: ids with which all translations begin at no cost, as a `SentenceFormat`'s target
            prefix.
        loop: that of `beam_search`.

    Returns:
        tokens `(B, W, lengths[-1])` and scores `(B, W)` of the W hypotheses.
    """
    decoder, special = model.decoder, model.config
    source_mask = padding_mask(source_ids, special.pad_id)
    memory = model.encoder(source_ids, source_mask)
    cross_cache = decoder.cross_cache(memory)

    def step(ids, index, self_cache):
        cache = (self_cache, cross_cache)
        logits, (self_cache, _) = decoder(
            ops.expand_dims(ids, 1), memory, source_mask, cache, index
        )
        logits = logits[:, 0]
        for place, token in enumerate(given):
            only = ops.where(
                ops.arange(logits.shape[-1]) == token, 0.0, searches.IMPOSSIBLE
            )
            logits = ops.where(ops.equal(index, place), only, logits)
        return logits, self_cache

    begin = ops.full_like(max_lengths, special.begin_id)
    self_cache = decoder.empty_self_cache(ops.shape(source_ids)[0], lengths[0])
    penalty = dict(length_penalty=config.length_penalty, penalty=config.penalty)
    ids = dict(end=special.end_id, pad=special.pad_id, never=special.never_generated)
    if config.search == "beam":
        beam = dict(beam=config.beam, loop=loop, **penalty, **ids)
        return beam_search(
            step, self_cache, begin, max_lengths, lengths, prefix, **beam
        )
    if config.search == "greedy":
        tokens, scores = greedy(
            step, self_cache, begin, max_lengths, lengths, prefix, **penalty, **ids
        )
        return ops.expand_dims(tokens, 1), ops.expand_dims(scores, 1)
    tokens, scores = sampling(
        step,
        *caches.repeat((self_cache, begin, max_lengths), config.n_best),
        lengths,
        None if prefix is None else caches.repeat(prefix, config.n_best),
        seeds=ops.reshape(seeds, (-1,)),
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        **ids,
    )
    return ops.reshape(tokens, (-1, config.n_best, lengths[-1])), ops.reshape(
        scores, (-1, config.n_best)
    )


def pad(lists, rows, width, filler=(), value=PAD):
    """Lists of ids -> (rows, width) int32, padded on the right; missing rows are filler."""
    array = np.full((rows, width), value, "int32")
    for row, ids in enumerate([*lists, *[filler] * (rows - len(lists))]):
        array[row, : len(ids)] = ids
    return array
