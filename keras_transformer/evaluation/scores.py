"""BLEU and chrF of a corpus, by sacreBLEU."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """BLEU and chrF2, from 0 to 100, each with the signature that says how it was computed."""

    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str

    def __str__(self):
        return f"BLEU {self.bleu:.2f} ({self.bleu_signature})\nchrF {self.chrf:.2f} ({self.chrf_signature})"


def corpus_scores(translations, references):
    """Score translations against one reference each: 13a tokens, cased, on untokenised text.

    Args:
        translations: list of strings.
        references: list of strings, as many.

    Returns:
        `Scores`.

    Raises:
        ValueError: if there are none, or the numbers differ.

    Example:
        >>> corpus_scores(["ein Mann fährt ein Fahrrad"], ["ein Mann fährt ein Fahrrad"]).bleu
        100.0

    Source: Post 2018, "A Call for Clarity in Reporting BLEU Scores"; Popović 2015
    (chrF).
    """
    if not translations or len(translations) != len(references):
        raise ValueError(
            "translations and references must be equally many, and at least one; "
            f"received {len(translations)} and {len(references)}"
        )
    from sacrebleu.metrics import BLEU, CHRF

    bleu, chrf = BLEU(), CHRF()
    bleu_score = bleu.corpus_score(translations, [references]).score
    chrf_score = chrf.corpus_score(translations, [references]).score
    return Scores(
        round(bleu_score, 4),
        str(bleu.get_signature()),
        round(chrf_score, 4),
        str(chrf.get_signature()),
    )
