"""BLEU and chrF of a corpus, by sacreBLEU."""

from dataclasses import dataclass

from ..config import expect
from ..text.lines import checked_texts
from ..text.normalization import normalize


@dataclass(frozen=True)
class Scores:
    """BLEU and chrF2, from 0 to 100, each with the signature of its settings."""

    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str

    def __str__(self):
        return (
            f"BLEU {self.bleu:.2f} ({self.bleu_signature})\n"
            f"chrF {self.chrf:.2f} ({self.chrf_signature})"
        )


def corpus_scores(translations, references):
    """Score translations by one reference each: 13a tokens, cased, untokenised text.

    Both are normalised by the rule of `text.normalization`, which changes nothing that
    a reader sees: references may be written otherwise than models write.

    Args:
        translations: list of strings.
        references: list of strings, as many.

    Returns:
        `Scores`.

    Raises:
        ValueError: if there are none, the numbers differ, or they are no strings.

    Example:
        >>> corpus_scores(["ein Mann fährt Rad"], ["ein Mann fährt Rad"]).bleu
        100.0

    Source: Post 2018, "A Call for Clarity in Reporting BLEU Scores"; Popović 2015
    (chrF).
    """
    translations = list(checked_texts(translations, "translations"))
    references = list(checked_texts(references, "references"))
    counts = (len(translations), len(references))
    fits = 0 < counts[0] == counts[1]
    what = "be equally many, and at least one"
    expect(fits, "translations and references", what, counts)
    from sacrebleu.metrics import BLEU, CHRF

    pair = (translations, references)
    ours, theirs = [[normalize(text) for text in texts] for texts in pair]
    found = []
    for metric in (BLEU(), CHRF()):
        score = metric.corpus_score(ours, [theirs]).score
        found += [round(score, 4), str(metric.get_signature())]
    return Scores(*found)
