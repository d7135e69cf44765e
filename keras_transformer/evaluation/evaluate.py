"""Translate a test set and score it."""

import time
from dataclasses import dataclass

from ..data.pairs import read_pairs
from ..decoding.base_translator import BaseTranslator
from ..decoding.translator import Translator
from ..runs.bars import doing
from .scores import Scores, chosen_tokenize, corpus_scores


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` gives: the scores, the translations, and how long they took."""

    scores: Scores
    translations: list[str]
    seconds: float

    @property
    def sentences_per_second(self):
        return len(self.translations) / self.seconds


def evaluate(translator, source, target=None, bleu_tokenize="auto"):
    """Translate a source file and score it against a target file.

    How far it is stands on standard error, if it takes more than a second.

    Args:
        translator: a `Translator` or another `BaseTranslator`, or the directory of a
            run.
        source: path of the source sentences (plain, `.gz`), or of both sides (`.tsv`).
        target: path of the references, line by line; none for a `.tsv`.
        bleu_tokenize: how BLEU cuts text, see `corpus_scores`; on standard error stands
            what "auto" chooses if not 13a.

    Returns:
        `Evaluation`; its seconds include compiling the search for new shapes.

    Raises:
        ValueError: if a file cannot be read, they are of unequal length, or BLEU cannot
            cut text so.
    """
    sources, references = zip(*read_pairs(source, target), strict=True)
    bleu_tokenize = chosen_tokenize(bleu_tokenize, references)
    if not isinstance(translator, BaseTranslator):
        with doing(f"opening {translator}"):
            translator = Translator.load(translator)
    begin = time.perf_counter()
    with doing("translating", len(sources), "sentences"):
        translations = translator(list(sources))
    seconds = time.perf_counter() - begin
    scores = corpus_scores(translations, references, bleu_tokenize)
    return Evaluation(scores, translations, seconds)
