"""Translate a test set and score it."""

import time
from dataclasses import dataclass

from ..data.pairs import read_pairs
from ..decoding.base_translator import BaseTranslator
from ..decoding.translator import Translator
from .scores import Scores, corpus_scores


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` gives: the scores, the translations, and how long they took."""

    scores: Scores
    translations: list[str]
    seconds: float

    @property
    def sentences_per_second(self):
        return len(self.translations) / self.seconds


def evaluate(translator, source, target=None):
    """Translate a source file and score it against a target file.

    Args:
        translator: a `Translator` or another `BaseTranslator`, or the directory of a
            run.
        source: path of the source sentences (plain, `.gz`), or of both sides (`.tsv`).
        target: path of the references, line by line; none for a `.tsv`.

    Returns:
        `Evaluation`; its seconds include compiling the search for new shapes.

    Raises:
        ValueError: if a file cannot be read, or they are of unequal length.
    """
    sources, references = zip(*read_pairs(source, target), strict=True)
    if not isinstance(translator, BaseTranslator):
        translator = Translator.load(translator)
    begin = time.perf_counter()
    translations = translator(list(sources))
    seconds = time.perf_counter() - begin
    return Evaluation(corpus_scores(translations, references), translations, seconds)
