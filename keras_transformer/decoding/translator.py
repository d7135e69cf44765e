"""Sentences to sentences, with Keras."""

import functools
import threading

import numpy as np
from keras import ops

from ..config import DecodingConfig, expect
from ..runs.bars import advance
from ..text.lines import checked_text
from ..text.markup import MOST, counts_of
from . import attention as attentions
from . import trace as traces
from .base_translator import (
    BaseTranslator,
    Hypothesis,
    as_texts,
    check_pairs,
    check_special_ids,
    check_vocabulary,
)
from .batching import pad, padded_width
from .compiled import compiled
from .coverage import coverage, ranked
from .ensemble import check_is_one, ensemble_of
from .log_probs import best_of, seeds_of, translation_log_probs
from .searcher import Searcher
from .translate_ids import TranslationSearch
from .wanted_terms import WantedTerms, as_array, by_shape, check_room, places_of

# Held by who computes: a backend gives one computation all processors, and compiles
# each but once. On torch each thread that calls has OpenMP threads of its own; with
# more of them than free processors translations were seen to take many times as long.
COMPUTING = threading.Lock()


class Translator(BaseTranslator):
    """Translates sentences with a `Transformer`.

    In float32 each sentence gets the same translation whatever is translated with it;
    in half precision rounding may depend on the shape of the batch. Sentences are
    sorted by length inside, and the compiled search meets few shapes: 1, 8, 32 or
    `batch_size` rows, and every second bucket edge of source tokens. Threads may share
    a translator: they take turns, batch by batch.

    Args:
        model: a `Transformer`, or an `Ensemble` of some.
        source_tokenizer: the `Tokenizer` of the source language.
        target_tokenizer: that of the target language; the same one when absent.
        config: a `DecodingConfig`; the paper's search when absent.
        glossary: a `Glossary`, or what one is made of: a source sentence with one of
            its terms gets a translation with that term's.

    Raises:
        ValueError: if a tokenizer's vocabulary or its special ids are not the model's,
            or the glossary cannot be used.

    Examples:
        >>> from keras_transformer.config import preset
        >>> from keras_transformer.models.transformer import Transformer
        >>> from keras_transformer.text.tokenizer import Tokenizer
        >>> lines = ["a man rides a bike", "a man rides a horse"]
        >>> tokenizer = Tokenizer.train(lines, vocab_size=24)
        >>> sizes = dict(source_vocab_size=24, target_vocab_size=24)
        >>> translator = Translator(Transformer(preset("tiny", **sizes)), tokenizer)
        >>> len(translator(["a man", "", "a horse"]))
        3

    Source: Vaswani et al. 2017, section 6.1.
    """

    def __init__(
        self,
        model,
        source_tokenizer,
        target_tokenizer=None,
        config=None,
        glossary=None,
    ):
        target_tokenizer = target_tokenizer or source_tokenizer
        config = config or DecodingConfig()
        longest = model.config.longest
        super().__init__(source_tokenizer, target_tokenizer, config, longest)
        sizes = (model.config.source_vocab_size, model.config.target_vocab_size)
        check_vocabulary("source_tokenizer", source_tokenizer, sizes[0])
        check_vocabulary("target_tokenizer", target_tokenizer, sizes[1])
        check_special_ids("target_tokenizer", target_tokenizer, model.config)
        self.model = model
        self._special = self.sentence_format.special
        self._prefix = self.sentence_format.target_prefix

        def with_model(function, *arguments):
            return compiled(functools.partial(function, model, *arguments), model)

        first_copied = source_tokenizer.first_symbol if self.markup else 0
        given = dict(target_prefix=self._prefix, first_copied=first_copied)
        self._terms = None
        if glossary is not None:
            self._terms = WantedTerms.of(glossary, target_tokenizer, config)
            given["is_inner"] = self._terms.is_inner

        def searcher(places):
            task = TranslationSearch(model, config, places=places, **given)
            return Searcher(task, model, self._batch_size(places))

        self._searcher = functools.cache(searcher)
        self._score_ids = with_model(translation_log_probs)
        self._attend_ids = with_model(attentions.weights_of)
        self._align_ids = with_model(attentions.aligning)
        self._coverage_of_ids = with_model(coverage)
        if config.coverage_penalty:
            check_is_one(model)

    @classmethod
    def load(cls, run, config=None, glossary=None):
        """The translator of a run, a directory, or of the `Ensemble` of a list."""
        from ..runs.run import Run

        paths = run if isinstance(run, (list, tuple)) else [run]
        return ensemble_of([Run.open(path) for path in paths], config, glossary)

    def attention(self, source, target=None):
        """What all layers and heads look at for a sentence and its translation.

        Args:
            source: a sentence.
            target: a translation of it: a string or a `Hypothesis`; this translator's
                own when absent.

        Returns:
            an `AttentionWeights`.
        """
        checked_text(source, "source")
        if target is None:
            target = self.hypotheses([source])[0][0]
        sources, marks = self._protected([source])
        (source_ids,) = self._encode_sources(sources)
        (target_ids,) = self._target_ids([target], marks)
        labels = self.sentence_format.labels(target_ids)
        inputs = self.sentence_format.target(labels)
        ((_, arrays),) = self._array_batches([source_ids], [inputs])
        with COMPUTING:
            found = self._attend_ids(*arrays)
        encoder, decoder, cross = map(ops.convert_to_numpy, found)
        read = len(source_ids)
        written = len(inputs)
        pieces = self.target_tokenizer.pieces
        return attentions.AttentionWeights(
            tuple(self.source_tokenizer.pieces[number] for number in source_ids),
            tuple(pieces[number] for number in inputs),
            tuple(pieces[number] for number in labels),
            encoder[:, 0, :, :read, :read],
            decoder[:, 0, :, :written, :written],
            cross[:, 0, :, :written, :read],
        )

    def alignments(self, sources, targets):
        """Which word of each source a word of its translation comes from.

        Words are what whitespace separates, numbered from 0. Each target word is linked
        to one source word, by the rule of `decoding.attention.aligning`, in which
        punctuation written with a word does not count. A sentence without words, on
        either side, has no links.

        Args:
            sources: sentences.
            targets: a translation of each: any text, or a `Hypothesis`, whose ids are
                taken as they are.

        Returns:
            for each sentence a list of pairs of word numbers, `(source, target)`.

        Raises:
            ValueError: if there are not as many targets as sources, or either is
                something else than texts.
        """
        must = "have no markup: a mark may be many words, and is one symbol"
        expect(self.markup is None, "the run", must, self.markup)
        sources, targets = check_pairs(sources, targets)
        return self._alignments(sources, targets, warns=True)

    def _alignments(self, sources, targets, warns=False):
        sentence_format = self.sentence_format
        source_ids = self._encode_sources(sources, warns)
        target_ids = self._target_ids(targets)
        labels = [sentence_format.labels(ids) for ids in target_ids]
        inputs = [sentence_format.target(own) for own in labels]
        texts = as_texts(targets)
        before = len(sentence_format.source_prefix)
        after = len(sentence_format.source_suffix)
        given = len(self._prefix)
        source_side = (self.source_tokenizer, self.source_tokenizer.pieces)
        target_side = (self.target_tokenizer, self.target_tokenizer.pieces)
        links = [[] for _ in sources]
        for batch, arrays in self._array_batches(source_ids, inputs):
            with COMPUTING:
                found = ops.convert_to_numpy(self._align_ids(*arrays))
            for n, weights in zip(batch, found, strict=False):
                inner_ids = source_ids[n][before : len(source_ids[n]) - after]
                links[n] = attentions.links(
                    weights[given:, before:],
                    attentions.words_of(*source_side, inner_ids, sources[n]),
                    attentions.words_of(*target_side, target_ids[n], texts[n]),
                )
        return links

    def trace(self, text):
        """What beam search held after each of its steps for one sentence, for pictures.

        The search runs step by step and is not compiled.

        Returns:
            a list of `BeamStep`.

        Raises:
            ValueError: if the configuration's search is another.
        """
        search = self.config.search
        expect(search == "beam", "search", "be 'beam' for a trace", search)
        expect(not self._terms, "glossary", "be absent for a trace", self._terms)
        checked_text(text, "text")
        texts, _ = self._protected([text])
        (source_ids,) = self._encode_sources(texts)
        limit = int(min(len(source_ids) + self.config.extra_length, self._limit))
        states = []
        with COMPUTING:
            task = self._searcher(0).task
            begun = task.begin(
                self._rows([source_ids], 1, len(source_ids)),
                ops.convert_to_tensor([limit], dtype="int32"),
                copied=ops.convert_to_tensor(self._copied(texts, rows=1)),
                lengths=(limit,),
            )
            traces.recorder(states)(task.search, *begun, (limit,))
        pieces = self.target_tokenizer.pieces
        return [traces.step(state, pieces, self._special.pad) for state in states]

    def _search(self, texts, prefixes):
        results = [None] * len(texts)
        sources = self._encode_sources(texts)
        config = self.config
        # All of the beam are ranked again by what they cover.
        count = config.beam if config.coverage_penalty else config.samples
        forced = [[] for _ in texts]
        if prefixes is not None:
            encoded = self.target_tokenizer.encode(prefixes)
            forced = [[*self._prefix, *ids] for ids in encoded]
        filler = [self._special.end]
        terms = [[] for _ in texts]
        if self._terms is not None:
            terms = [self._terms.in_sentence(text) for text in texts]
        planned = [*self._planned([len(ids) for ids in sources], terms)]
        work = sum(rows * width for _, rows, width, _ in planned)
        for batch, rows, width, shape in planned:
            # A filler row has the limit 0: it is not searched.
            limits = np.zeros(rows, "int32")
            seeds = np.zeros((rows, config.samples), "int32")
            for row, n in enumerate(batch):
                longest = len(sources[n]) + config.extra_length
                limits[row] = min(longest, self._limit)
                seeds[row] = seeds_of(texts[n], config)
            copied = self._copied([texts[n] for n in batch], rows)
            own = [forced[n] for n in batch]
            most = max(map(len, own))
            inputs = (
                self._rows([sources[n] for n in batch], rows, width, filler),
                ops.convert_to_tensor(limits),
                ops.convert_to_tensor(seeds),
                self._rows(own, rows, self._width(most) if most else 0),
                ops.convert_to_tensor(copied),
            )
            if shape:
                wanted = [terms[n] for n in batch]
                begun = [ids or self._prefix for ids in own]
                room = limits - copied.sum(axis=1)
                check_room(wanted, room, begun, [texts[n] for n in batch])
                inputs += (ops.convert_to_tensor(as_array(wanted, rows, shape)),)
            with COMPUTING:
                ids, scores = self._searcher(places_of(shape))(*inputs)
            for row, n in enumerate(batch):
                found = best_of(ids[row], scores[row], count, self._special.pad)
                results[n] = self._hypotheses(*found)
            # Long sentences come last, and take longer.
            share = rows * width / work
            advance(share * len(texts), kind=(rows, width))
        if config.coverage_penalty:
            return self._by_coverage(sources, results)
        return results

    def _by_coverage(self, sources, results):
        """The `n_best` hypotheses of each sentence by score and coverage."""
        beta = self.config.coverage_penalty
        repeated = [ids for ids, found in zip(sources, results) for _ in found]
        labels = [list(one.ids) for found in results for one in found]
        covered = iter(self._by_pair(self._coverage_of_ids, repeated, labels))
        chosen = []
        for found in results:
            penalties = [beta * next(covered) for _ in found]
            chosen.append(ranked(found, penalties)[: self.config.n_best])
        return chosen

    def _planned(self, lengths, terms):
        """The indices, rows and width of batches, and the one shape of their terms."""
        for shape, numbers in by_shape(terms).items():
            own = [lengths[n] for n in numbers]
            size = self._batch_size(places_of(shape))
            for batch, rows, width in self._batches(own, size):
                yield [numbers[n] for n in batch], rows, width, shape

    def _batch_size(self, places):
        """How many sentences are searched together, with so many more hypotheses."""
        config = self.config
        return max(1, config.batch_size * config.beam // (config.beam + places))

    def _token_scores(self, sources, labels):
        scores = []
        given = len(self._prefix)
        found = self._by_pair(self._score_ids, sources, labels)
        for own, ids in zip(found, labels, strict=True):
            scores.append([0.0] * given + own[given : len(ids)].tolist())
        return scores

    def _by_pair(self, function, sources, labels):
        """What a function of sources, inputs and labels gives for each pair."""
        found = [None] * len(sources)
        inputs = [self.sentence_format.target(own) for own in labels]
        for batch, arrays in self._array_batches(sources, inputs):
            shape = arrays[1].shape
            label_rows = self._rows([labels[n] for n in batch], *shape)
            with COMPUTING:
                values = ops.convert_to_numpy(function(*arrays, label_rows))
            for n, value in zip(batch, values, strict=False):
                found[n] = value
        return found

    def _copied(self, texts, rows):
        """How often each symbol of markup is wanted: `(rows, P)`; P is 0 without."""
        if self.markup is None:
            return np.zeros((rows, 0), "int32")
        copied = np.zeros((rows, MOST), "int32")
        copied[: len(texts)] = [counts_of(text) for text in texts]
        return copied

    def _target_ids(self, targets, marks=None):
        """The ids of each translation, without what stands around them.

        `marks` are those of each source.
        """
        marks = marks or [()] * len(targets)
        texts = map(self._symbols_in, as_texts(targets), marks)
        encoded = self.target_tokenizer.encode([*texts])
        end = self._special.end
        for n, target in enumerate(targets):
            if isinstance(target, Hypothesis):
                own = target.ids[len(self._prefix) :]
                encoded[n] = [number for number in own if number != end]
        return encoded

    def _array_batches(self, sources, inputs):
        """Batches of pairs: the indices, and the arrays of both sides, equally wide."""
        special = self._special
        lengths = [max(map(len, pair)) for pair in zip(sources, inputs, strict=True)]
        for batch, *shape in self._batches(lengths):
            source_rows = self._rows([sources[n] for n in batch], *shape, [special.end])
            input_rows = self._rows([inputs[n] for n in batch], *shape, [special.begin])
            yield batch, (source_rows, input_rows)

    def _width(self, length):
        return padded_width(length, self._longest)

    def _rows(self, lists, rows, width, filler=()):
        array = pad(lists, rows, width, self._special.pad, filler)
        return ops.convert_to_tensor(array)
