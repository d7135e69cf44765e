"""Sentences in, hypotheses out, whichever runtime computes. No Keras."""

import dataclasses
import itertools
import warnings

from ..config import expect, refused
from ..process.bars import advance
from ..text.lines import checked_texts, expect_list
from ..text.markup import counts_of
from ..text.normalization import has_text
from ..text.sentence_format import SentenceFormat
from .agreement import by_agreement
from .batching import batches

CHUNK = 32  # batches of a stream that are sorted by length together


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One translation.

    Attributes:
        text: the translation.
        score: its log-probability in nats / length penalty.
        ids: its token ids: the target prefix, such as a language's code, first, and END
            last, unless it was ended by its limit; none for an empty sentence.
        token_scores: the log-probabilities of the tokens, if they were asked for; their
            sum is the translation's.
        alignment: pairs of word numbers `(source, target)`, if they were asked for.
        lost: markup of the source that the text lacks.
    """

    text: str
    score: float
    ids: tuple[int, ...]
    token_scores: tuple[float, ...] = ()
    alignment: tuple[tuple[int, int], ...] = ()
    lost: tuple[str, ...] = ()


class BaseTranslator:
    """Translates sentences; a subclass gives `_search` and `_token_scores`.

    Args:
        source_tokenizer: the `Tokenizer` of the source language.
        target_tokenizer: that of the target language.
        config: a `DecodingConfig`.
        positions: the most positions that the model has, on either side; none is
            without end.
    """

    has_terms = False  # of a glossary

    def __init__(self, source_tokenizer, target_tokenizer, config, positions=None):
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.config = config
        self.sentence_format = SentenceFormat.of(source_tokenizer, target_tokenizer)
        self.markup = source_tokenizer.markup
        self._limit = float("inf") if positions is None else positions
        self._longest = min(config.longest_source, self._limit)

    def __call__(self, texts):
        """The best translation of a sentence, or a list of those of several."""
        if isinstance(texts, str):
            return self.hypotheses([texts])[0][0].text
        return [found[0].text for found in self.hypotheses(texts)]

    def stream(self, lines, prefixes=None, token_scores=False, alignments=False):
        """The hypotheses of each line, best first, in constant memory.

        A list is sorted by length as a whole. Any other iterable is sorted in chunks:
        one batch, then two, four and so on, up to `CHUNK`. So the first translations
        come soon, and a long stream is sorted in large pieces.

        Args:
            lines: an iterable of sentences. One of more than `max_source_length` tokens
                is cut, with a warning. An empty one, of white space and invisible
                characters, has only the empty translation.
            prefixes: what each translation must begin with, "" for no wish; as many.
            token_scores: whether to give the log-probability of each token as well;
                costs one more pass of the model.
            alignments: whether to give the word alignments as well, as
                `Translator.alignments` does; costs one more pass, too.

        Yields:
            a list of `Hypothesis` for each line.

        Raises:
            ValueError: where lines or prefixes end before the others, or are no
                strings.
        """
        if alignments:
            self._check_alignments()
        for texts, wishes in self._chunks(lines, prefixes):
            protected, marks = self._protected(texts)
            filled = self._with_tokens(protected)
            sources = [protected[n] for n in filled]
            wanted = None
            if prefixes is not None:
                wanted = [self._symbols_in(wishes[n], marks[n]) for n in filled]
            searched = self._search(sources, wanted) if filled else []
            if self.config.mbr:
                most = self.config.n_best
                searched = [by_agreement(samples)[:most] for samples in searched]
            advance(len(texts) - len(filled), kind="without text")
            if token_scores:
                searched = self._with_token_scores(sources, searched)
            if alignments:
                searched = self._with_alignments(sources, searched)
            results = [[Hypothesis("", 0.0, ())] for _ in texts]
            for n, source, found in zip(filled, sources, searched, strict=True):
                results[n] = [self._restored(one, source, marks[n]) for one in found]
            yield from results

    def _chunks(self, lines, prefixes):
        """The texts of each chunk and their prefixes, each None where none is given."""
        sentences = checked_texts(lines, "lines")
        pairs = zip(sentences, itertools.repeat(None))
        if prefixes is not None:
            pairs = paired(sentences, checked_texts(prefixes, "prefixes"))
        if isinstance(lines, list):
            chunks = [list(pairs)]
        else:
            chunks = in_chunks(pairs, self.config.batch_size)
        for chunk in chunks:
            yield [text for text, _ in chunk], [wish for _, wish in chunk]

    def hypotheses(self, texts, prefixes=None, token_scores=False):
        """The `n_best` translations of each sentence, best first.

        Args:
            texts, prefixes, token_scores: as for `stream`.

        Returns:
            a list of lists of `Hypothesis`.

        Raises:
            ValueError: if there are not as many prefixes as sentences, or either is
                something else than strings.
        """
        texts = list(checked_texts(texts, "texts"))
        if prefixes is not None:
            prefixes = list(checked_texts(prefixes, "prefixes"))
            must_be_as_many(prefixes, texts, "prefixes", "texts")
        return list(self.stream(texts, prefixes, token_scores))

    def score(self, sources, targets, token_scores=False):
        """The log-probability of each given translation, in nats.

        The end token counts; a target prefix, which nobody chose, does not.

        Args:
            sources: sentences.
            targets: a translation of each: any text, or a `Hypothesis`, whose ids are
                taken as they are.
            token_scores: whether to give the log-probability of each token instead.

        Returns:
            a list of numbers, or of lists of numbers.

        Raises:
            ValueError: if there are not as many targets as sources, either is something
                else than strings, or a target has more tokens than the model positions.
        """
        sources, targets = check_pairs(sources, targets)
        sources, marks = self._protected(sources)
        labels = self._labels(targets, marks)
        scores = self._token_scores(self._encode_sources(sources), labels)
        if token_scores:
            given = len(self.sentence_format.target_prefix)
            return [own[given:] for own in scores]
        return [sum(own) for own in scores]

    def _search(self, texts, prefixes):
        """The hypotheses of sentences with text; `prefixes` may be None."""
        raise NotImplementedError

    def _token_scores(self, sources, labels):
        """The log-probabilities of each target's ids, as lists.

        Those of the target prefix, which nobody chose, are 0.

        Args:
            sources: ids of sources in their format.
            labels: ids of targets in theirs.
        """
        raise NotImplementedError

    def _labels(self, targets, marks=None):
        """What the decoder is to write for each translation: the ids of a `Hypothesis`.

        `marks` are those of each source.
        """
        marks = marks or [()] * len(targets)
        texts = map(self._symbols_in, as_texts(targets), marks)
        encoded = self.target_tokenizer.encode([*texts])
        labels = [self.sentence_format.labels(ids) for ids in encoded]
        for n, target in enumerate(targets):
            if isinstance(target, Hypothesis) and target.ids:
                labels[n] = [*target.ids]
        must = f"have at most {self._limit} tokens, those that the model has places for"
        for text, own in zip(as_texts(targets), labels):
            expect(len(own) <= self._limit, "targets", must, text)
        return labels

    def _protected(self, texts):
        """The texts with symbols for their markup, and the marks of each."""
        if self.markup is None or not texts:
            return texts, [()] * len(texts)
        pairs = [self.markup.protect(text) for text in texts]
        return [text for text, _ in pairs], [marks for _, marks in pairs]

    def _symbols_in(self, target, marks):
        """What a translation is with the symbols that stand for its source's marks."""
        return self.markup.symbols_in(target, marks) if marks else target

    def _restored(self, hypothesis, source, marks):
        """A `Hypothesis` whose text has the marks of its source again."""
        if self.markup is None:
            return hypothesis
        text, lost = self.markup.restore(
            hypothesis.text, marks, counts_of(source), self.markup.marks_in(source)
        )
        return dataclasses.replace(hypothesis, text=text, lost=lost)

    def _with_token_scores(self, texts, results):
        def scores_of(sources, hypotheses):
            encoded = self._encode_sources(sources, warns=False)
            return self._token_scores(encoded, [one.ids for one in hypotheses])

        return with_field("token_scores", scores_of, texts, results)

    def _check_alignments(self):
        """Raise a `ValueError` unless alignments can be given."""
        must = "be absent with a runtime that gives no attention"
        raise refused("alignments", must, True)

    def _with_alignments(self, texts, results):
        return with_field("alignment", self._alignments, texts, results)

    def _with_tokens(self, texts):
        """Which texts are not empty: neither to a reader nor to their tokenizer."""
        ids = self.source_tokenizer.encode(texts)
        return [n for n, text in enumerate(texts) if ids[n] and has_text(text)]

    def _encode_sources(self, texts, warns=True):
        """The ids of sentences in their format, cut to what is allowed."""
        sources = self.source_tokenizer.encode(texts)
        cut = [text for text, ids in zip(texts, sources) if self._is_cut(ids)]
        if cut and warns:
            warnings.warn(
                f"cut to {self._longest} tokens: {len(cut)} of {len(texts)} sentences, "
                f"first {cut[0][:60]!r}...",
                stacklevel=4,
            )
        return [self.sentence_format.source(ids, self._longest) for ids in sources]

    def _is_cut(self, ids):
        return len(ids) > self._longest - self.sentence_format.around_source

    def reads_all_of(self, text):
        """Whether a sentence is translated as a whole, and not cut."""
        (protected,), _ = self._protected([text])
        (ids,) = self.source_tokenizer.encode([protected])
        return not self._is_cut(ids)

    def _batches(self, lengths, size=None):
        """Batches of sentences of those lengths, see `batching.batches`."""
        return batches(lengths, size or self.config.batch_size, self._longest)

    def _hypotheses(self, ids, scores):
        """The `Hypothesis` of each row of ids and its score."""
        texts = self.target_tokenizer.decode(ids)
        rows = zip(texts, scores, ids, strict=True)
        return [Hypothesis(text, float(score), tuple(row)) for text, score, row in rows]


def in_chunks(items, batch_size):
    """Lists of one batch of items, then of two, four and so on up to `CHUNK`."""
    items = iter(items)
    size = batch_size
    while chunk := list(itertools.islice(items, size)):
        yield chunk
        size = min(2 * size, CHUNK * batch_size)


def with_field(name, values_of, texts, results):
    """The hypotheses of each text, with one more field.

    Its values come from `values_of(sources, hypotheses)`, lists of one length.
    """
    pairs = [(text, one) for text, found in zip(texts, results) for one in found]
    values = values_of([text for text, _ in pairs], [one for _, one in pairs])
    values = map(tuple, values)
    return [
        [dataclasses.replace(one, **{name: next(values)}) for one in found]
        for found in results
    ]


def paired(lines, prefixes):
    """Pairs of two iterables, one at a time; neither may end before the other."""
    for pair in itertools.zip_longest(lines, prefixes):
        expect(None not in pair, "prefixes", "be as many as lines", pair)
        yield pair


def must_be_as_many(items, others, name, other_name):
    """Raise a `ValueError` unless two lists have the same length."""
    found = len(items)
    expected = len(others)
    what = f"be as many as {other_name}, {expected}"
    expect(found == expected, name, what, found)


def as_texts(targets):
    """The texts of strings and hypotheses; a `ValueError` for anything else."""
    texts = [t.text if isinstance(t, Hypothesis) else t for t in targets]
    return list(checked_texts(texts, "targets"))


def check_pairs(sources, targets):
    """Two lists of one length, of strings; targets may be hypotheses as well.

    Raises:
        ValueError: if they are something else, or have not the same length.
    """
    sources = list(checked_texts(sources, "sources"))
    expect_list(targets, "targets")
    targets = list(targets)
    as_texts(targets)
    must_be_as_many(targets, sources, "targets", "sources")
    return sources, targets
