"""Sentences to sentences, with Keras."""

import functools

import numpy as np
from keras import ops

from ..config import DecodingConfig, TransformerConfig, expect
from ..process.bars import advance
from ..text.lines import checked_text
from . import attention as attentions
from . import trace as traces
from .base_translator import BaseTranslator, as_texts, check_pairs
from .batching import pad, padded_width
from .compiled import COMPUTING
from .coverage import ranked
from .ensemble import Ensemble, check_is_one, model_of_runs
from .log_probs import best_of, seeds_of
from .pair_reader import PairReader
from .parts import check_parts, check_special_ids, check_tokenizer
from .searcher import Searcher
from .sentence_request import SentenceRequest, check_fits, copied_of
from .translation_search import TranslationSearch
from .wanted_terms import WantedTerms, as_array, by_shape, check_room, places_of


class Translator(BaseTranslator):
    """Translates sentences with a `Transformer`.

    In float32 each sentence gets the same translation whatever is translated with it;
    in half precision rounding may depend on the shape of the batch. Sentences are
    sorted by length inside, and the compiled search meets few shapes: 1, 8, 32 or
    `batch_size` rows, for what is left of a batch also 4 and 16, and every second
    bucket edge of source tokens. Threads may share a translator: they take turns, batch
    by batch.

    Args:
        model: a `Transformer`, or an `Ensemble` of some.
        source_tokenizer: the `Tokenizer` of the source language.
        target_tokenizer: that of the target language; the same one when absent.
        config: a `DecodingConfig`; the paper's search when absent.
        glossary: a `Glossary`, or what one is made of: a source sentence with one of
            its terms gets a translation with that term's.

    Raises:
        ValueError: if an argument is of another kind, a tokenizer's vocabulary or its
            special ids are not the model's, or the glossary cannot be used.

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
        must = "be a Transformer or an Ensemble of some"
        check_parts(model, TransformerConfig, must, config)
        beta = config.coverage_penalty
        must = "be 0 with an ensemble, whose models look at different words"
        is_right = not beta or not isinstance(model, Ensemble)
        expect(is_right, "coverage_penalty", must, beta)
        sizes = model.config
        check_tokenizer("source_tokenizer", source_tokenizer, sizes.source_vocab_size)
        check_tokenizer("target_tokenizer", target_tokenizer, sizes.target_vocab_size)
        check_special_ids("target_tokenizer", target_tokenizer, sizes)
        super().__init__(source_tokenizer, target_tokenizer, config, sizes.longest)
        self.model = model
        self._special = self.sentence_format.special
        self._prefix = self.sentence_format.target_prefix

        self._terms = None
        self.has_terms = glossary is not None
        if self.has_terms:
            self._terms = WantedTerms.of(glossary, target_tokenizer, config)

        def searcher(places):
            task = TranslationSearch(
                model,
                config,
                places=places,
                target_prefix=self._prefix,
                first_copied=source_tokenizer.first_symbol if self.markup else 0,
                is_inner=self._terms.is_inner if self.has_terms else None,
            )
            return Searcher(task, model, self._batch_size(places))

        self._searcher = functools.cache(searcher)
        self._reader = PairReader(
            model, self.sentence_format, config.batch_size, self._longest
        )

    @classmethod
    def load(cls, run, config=None, glossary=None):
        """The translator of a run, a directory, or of the `Ensemble` of a list."""
        from ..runs.run import Run

        paths = run if isinstance(run, (list, tuple)) else [run]
        runs = [Run.open(path) for path in paths]
        model = model_of_runs(runs)
        search = runs[0].search(config)
        return cls(model, *runs[0].tokenizers, search, glossary)

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
        (labels,) = self._labels([target], marks)
        inputs = self.sentence_format.target(labels)
        pieces = self.target_tokenizer.pieces
        return attentions.AttentionWeights(
            tuple(self.source_tokenizer.pieces[number] for number in source_ids),
            tuple(pieces[number] for number in inputs),
            tuple(pieces[number] for number in labels),
            *self._reader.attention(source_ids, labels),
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

    def _check_alignments(self):
        must = "be absent with a run whose markup is copied"
        expect(self.markup is None, "alignments", must, True)
        check_is_one(self.model)

    def _alignments(self, sources, targets, warns=False):
        sentence_format = self.sentence_format
        source_ids = self._encode_sources(sources, warns)
        labels = self._labels(targets)
        before = len(sentence_format.source_prefix)
        given = len(self._prefix)
        end = self._special.end
        weights = self._reader.alignments(source_ids, labels)
        links = []
        for n, text in enumerate(as_texts(targets)):
            read = sentence_format.text(source_ids[n])
            written = [token for token in labels[n][given:] if token != end]
            own = attentions.links(
                weights[n][given:, before:],
                attentions.words_of(self.source_tokenizer, read, sources[n]),
                attentions.words_of(self.target_tokenizer, written, text),
            )
            links.append(own)
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
        limit = int(self._most(source_ids))
        copied = copied_of(texts, 1, self.markup is not None)
        states = []
        with COMPUTING:
            task = self._searcher(0).task
            begun = task.begin(
                ops.convert_to_tensor([source_ids], dtype="int32"),
                ops.convert_to_tensor([limit], dtype="int32"),
                copied=ops.convert_to_tensor(copied),
                lengths=(limit,),
            )
            traces.recorder(states)(task.search, *begun, (limit,))
        pieces = self.target_tokenizer.pieces
        return [traces.step(state, pieces, self._special.pad) for state in states]

    def _search(self, texts, prefixes):
        requests = self._requests(texts, prefixes)
        results = [None] * len(texts)
        planned = [*self._planned(requests)]
        work = sum(rows * width for _, rows, width, _ in planned)
        for batch, rows, width, shape in planned:
            asked = [requests[n] for n in batch]
            inputs = self._inputs(asked, rows, width, shape)
            with COMPUTING:
                ids, scores = self._searcher(places_of(shape))(*inputs)
            for row, n in enumerate(batch):
                best_ids, best_scores = best_of(
                    ids[row], scores[row], self._kept, self._special.pad
                )
                results[n] = self._hypotheses(best_ids, best_scores)
            # Long sentences come last, and take longer.
            share = rows * width / work
            advance(share * len(texts), kind=(rows, width))
        if self.config.coverage_penalty:
            return self._by_coverage([one.source for one in requests], results)
        return results

    @property
    def _kept(self):
        """How many hypotheses a search keeps: the beam where they are ranked again."""
        config = self.config
        return config.beam if config.coverage_penalty else config.samples

    def _requests(self, texts, prefixes):
        """A `SentenceRequest` for each text."""
        sources = self._encode_sources(texts)
        forced = [[] for _ in texts]
        if prefixes is not None:
            encoded = self.target_tokenizer.encode(prefixes)
            forced = [[*self._prefix, *ids] for ids in encoded]
            must = "be spelled by the vocabulary of the target"
            for source, ids, prefix in zip(sources, forced, prefixes, strict=True):
                expect(self._special.unknown not in ids, "prefixes", must, prefix)
                check_fits("prefixes", len(ids), self._most(source) - 1, prefix)
        terms = [[] for _ in texts]
        if self._terms is not None:
            read = map(self._read, texts, sources)
            terms = [self._terms.in_sentence(text) for text in read]
        return [*map(SentenceRequest, texts, sources, forced, terms)]

    def _read(self, text, source):
        """What is translated of a text, whose source in ids is given."""
        if len(source) < self._longest or self.reads_all_of(text):
            return text
        return self.source_tokenizer.decode([self.sentence_format.text(source)])[0]

    def _most(self, source):
        """The most tokens of a translation of a source in ids, END counted."""
        return min(len(source) + self.config.extra_length, self._limit)

    def _inputs(self, requests, rows, width, shape):
        """The tensors that the search takes for some requests."""
        config = self.config
        # A row without a request has the limit 0: it is not searched.
        limits = np.zeros(rows, "int32")
        seeds = np.zeros((rows, config.samples), "int32")
        for row, one in enumerate(requests):
            limits[row] = self._most(one.source)
            seeds[row] = seeds_of(one.text, config)
        texts = [one.text for one in requests]
        copied = copied_of(texts, rows, self.markup is not None)
        forced = [one.forced for one in requests]
        most = max(map(len, forced))
        width_of_forced = padded_width(most, self._longest) if most else 0
        sources = [one.source for one in requests]
        inputs = [
            self._rows(sources, rows, width, [self._special.end]),
            limits,
            seeds,
            self._rows(forced, rows, width_of_forced),
            copied,
        ]
        if shape:
            wanted = [one.terms for one in requests]
            begun = [ids or self._prefix for ids in forced]
            check_room(wanted, limits - copied.sum(axis=1), begun, texts)
            inputs.append(as_array(wanted, rows, shape))
        return [ops.convert_to_tensor(array) for array in inputs]

    def _by_coverage(self, sources, results):
        """The `n_best` hypotheses of each sentence by score and coverage."""
        beta = self.config.coverage_penalty
        repeated = [ids for ids, found in zip(sources, results) for _ in found]
        labels = [list(one.ids) for found in results for one in found]
        covered = iter(self._reader.coverage(repeated, labels))
        chosen = []
        for found in results:
            penalties = [beta * next(covered) for _ in found]
            chosen.append(ranked(found, penalties)[: self.config.n_best])
        return chosen

    def _planned(self, requests):
        """The indices, rows and width of batches, and the one shape of their terms."""
        for shape, numbers in by_shape([one.terms for one in requests]).items():
            own = [len(requests[n].source) for n in numbers]
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
        found = self._reader.log_probs(sources, labels)
        for own, ids in zip(found, labels, strict=True):
            scores.append([0.0] * given + own[given : len(ids)].tolist())
        return scores

    def _rows(self, lists, rows, width, filler=()):
        return pad(lists, rows, width, self._special.pad, filler)
