"""What is the same whichever engine computes a translation: sentences in, hypotheses out. No Keras."""

import dataclasses
import itertools
import warnings
from collections.abc import Iterable, Iterator

from keras_transformer.text.sentence_format import SentenceFormat

SPACE = "\u2581"  # what SentencePiece writes for a space, and reads as one
CHUNK = 32  # batches of a stream that are sorted by length together


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One translation: its text, its score (log-probability in nats / length penalty), its tokens, END included.

    `token_scores`, if they were asked for, are the log-probabilities of the tokens,
    whose sum is the translation's.
    """

    text: str
    score: float
    tokens: tuple[int, ...]
    token_scores: tuple[float, ...] = ()


class BaseTranslator:
    """Translates sentences; a subclass gives `_search` and `_token_scores`.

    Args:
        source_tokenizer: the `Tokenizer` of the source language.
        target_tokenizer: that of the target language.
        config: a `DecodingConfig`.
        positions: the most positions that the model has, on either side; none is
            without end.
    """

    def __init__(self, source_tokenizer, target_tokenizer, config, positions=None):
        self.source_tokenizer, self.target_tokenizer = (
            source_tokenizer,
            target_tokenizer,
        )
        self.config, self.sentence_format = (
            config,
            SentenceFormat.of(source_tokenizer, target_tokenizer),
        )
        self._limit = float("inf") if positions is None else positions
        self._longest = min(config.max_source_length, self._limit)

    def __call__(self, texts: str | list[str]) -> str | list[str]:
        """The best translation of a sentence, or of each of a list of sentences."""
        if isinstance(texts, str):
            return self.hypotheses([texts])[0][0].text
        return [best.text for best, *_ in self.hypotheses(texts)]

    def stream(
        self, lines: Iterable[str], token_scores: bool = False
    ) -> Iterator[list[Hypothesis]]:
        """The hypotheses of each line, best first, in constant memory.

        Lines are taken in chunks of one batch, then two, four and so on up to `CHUNK`:
        the first translations come soon, and a long stream is sorted by length in large
        pieces.
        """
        lines, batches = iter(lines), 1
        while chunk := list(itertools.islice(lines, batches * self.config.batch_size)):
            yield from self.hypotheses(chunk, token_scores=token_scores)
            batches = min(2 * batches, CHUNK)

    def hypotheses(
        self,
        texts: list[str],
        prefixes: list[str] | None = None,
        token_scores: bool = False,
    ) -> list[list[Hypothesis]]:
        """The `n_best` translations of each sentence, best first; only one, the empty one, of an empty sentence.

        Args:
            texts: sentences. One of more than `max_source_length` tokens is cut, with a
                warning.
            prefixes: what each translation must begin with, "" for no wish.
            token_scores: whether to give the log-probability of each token as well;
                costs one more pass of the model.

        Raises:
            ValueError: if there are not as many prefixes as sentences, or texts is a
                string.
        """
        if isinstance(texts, str):
            raise ValueError(
                f"texts must be a list of strings; received the string {texts[:40]!r}"
            )
        if prefixes is not None and len(prefixes) != len(texts):
            raise ValueError(
                f"prefixes must be as many as texts, {len(texts)}; received {len(prefixes)}"
            )
        results = [[Hypothesis("", 0.0, ())] for _ in texts]
        filled = [
            row for row, text in enumerate(texts) if text.replace(SPACE, " ").strip()
        ]
        wanted = None if prefixes is None else [prefixes[row] for row in filled]
        for row, found in zip(
            filled, self._search([texts[row] for row in filled], wanted), strict=True
        ):
            results[row] = found
        return self._with_token_scores(texts, results) if token_scores else results

    def _with_token_scores(self, texts, results):
        rows = [
            row
            for row, found in enumerate(results)
            for hypothesis in found
            if hypothesis.tokens
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of long sentences the search has warned
            sources = self._encode_sources([texts[row] for row in rows])
        labels = [
            hypothesis.tokens
            for found in results
            for hypothesis in found
            if hypothesis.tokens
        ]
        scores = iter(self._token_scores(sources, labels))
        return [
            [
                dataclasses.replace(h, token_scores=tuple(next(scores)))
                if h.tokens
                else h
                for h in found
            ]
            for found in results
        ]

    def _search(self, texts, prefixes):
        """Sentences with text, and what each translation must begin with, or None -> their hypotheses."""
        raise NotImplementedError

    def score(self, sources: list[str], targets: list[str]) -> list[float]:
        """The log-probability, in nats, of each given translation, its end token included, a target prefix not.

        Raises:
            ValueError: if there are not as many targets as sources, or one of them is a
                string.
        """
        check_pairs(sources, targets)
        labels = [
            self.sentence_format.labels(ids)
            for ids in self.target_tokenizer.encode(targets)
        ]
        return [
            sum(scores)
            for scores in self._token_scores(self._encode_sources(sources), labels)
        ]

    def _token_scores(self, sources, labels):
        """Ids of sources and of targets in their sentence_format -> lists of the log-probabilities of each target's ids.

        Those of the target prefix, which nobody chose, are 0.
        """
        raise NotImplementedError

    def _encode_sources(self, texts):
        """The ids of each sentence in their sentence_format, cut to what the model and the configuration allow."""
        sources, longest = (
            self.source_tokenizer.encode(texts),
            self._longest - self.sentence_format.around_source,
        )
        cut = [
            text for text, ids in zip(texts, sources, strict=True) if len(ids) > longest
        ]
        if cut:
            warnings.warn(
                f"cut to {self._longest} tokens: {len(cut)} of {len(texts)} sentences, first {cut[0][:60]!r}...",
                stacklevel=4,
            )
        return [self.sentence_format.source(ids, self._longest) for ids in sources]

    def _hypotheses(self, tokens, scores):
        """The `Hypothesis` of each row of tokens and its score."""
        texts = self.target_tokenizer.decode(tokens)
        return [
            Hypothesis(text, float(score), tuple(row))
            for text, score, row in zip(texts, scores, tokens)
        ]


def check_pairs(sources, targets):
    """Raise a `ValueError` unless both are lists, of the same length."""
    for name, texts in (("sources", sources), ("targets", targets)):
        if isinstance(texts, str):
            raise ValueError(
                f"{name} must be a list of strings; received the string {texts[:40]!r}"
            )
    if len(sources) != len(targets):
        raise ValueError(
            f"targets must be as many as sources, {len(sources)}; received {len(targets)}"
        )
