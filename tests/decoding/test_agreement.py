import pytest
from layer_checks import ON_TORCH, marked
from sacrebleu.metrics import CHRF

from keras_transformer import Translator
from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.agreement import by_agreement
from keras_transformer.decoding.base_translator import Hypothesis

TEXTS = ["ein Hund", "eine Hand", "ein Hund", "der Hund", ""]


def test_worked_by_hand():
    """The mean chrF against all samples, itself and what was drawn twice among them."""
    found = by_agreement([Hypothesis(text, 0.0, ()) for text in TEXTS])
    metric = CHRF()

    def agreement(text):
        scores = [metric.sentence_score(text, [other]).score for other in TEXTS]
        return sum(scores) / len(scores)

    expected = sorted({*TEXTS}, key=agreement, reverse=True)
    assert [one.text for one in found] == expected
    assert found[0].text == "ein Hund" and agreement("ein Hund") > agreement("der Hund")


def test_of_samples_that_agree_equally_the_likeliest_is_first():
    samples = [Hypothesis("ein Hund", -9.0, ()), Hypothesis("zwo!", -2.0, ())]
    for drawn in (samples, samples[::-1]):
        assert [one.text for one in by_agreement(drawn)] == ["zwo!", "ein Hund"]


@marked(ON_TORCH)
def test_a_translator_gives_the_best_of_its_samples(trained):
    texts = ["a man is riding a bike", "", "two dogs"]
    how = dict(search="sampling", extra_length=4, seed=3)
    samples = Translator.load(trained, DecodingConfig(n_best=6, **how))
    chosen = Translator.load(trained, DecodingConfig(mbr=6, n_best=2, **how))
    expected = [by_agreement(drawn)[:2] for drawn in samples.hypotheses(texts)]
    found = chosen.hypotheses(texts)
    assert [[one.text for one in own] for own in found] == [
        [one.text for one in own] for own in expected
    ]


def test_what_cannot_be():
    message = "n_best must be at most 4 with search='sampling'; received 5"
    with pytest.raises(ValueError, match=message):
        DecodingConfig(search="sampling", mbr=4, n_best=5)
    with pytest.raises(ValueError, match="mbr must be absent without search='sampl"):
        DecodingConfig(mbr=4)
