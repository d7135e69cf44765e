import pytest

from keras_transformer.evaluation.scores import corpus_scores


def test_known_scores():
    scores = corpus_scores(
        ["the cat sat on the mat", "a dog"], ["the cat sat on a mat", "a dog"]
    )
    # By hand.
    assert scores.bleu == pytest.approx(
        100 * (7 / 8 * 4 / 6 * 2 / 4 * 1 / 3) ** 0.25, abs=1e-3
    )
    assert 50 < scores.chrf < 100
    assert "tok:13a" in scores.bleu_signature and "case:mixed" in scores.bleu_signature
    assert "nc:6" in scores.chrf_signature
    assert str(scores) == (
        f"BLEU {scores.bleu:.2f} ({scores.bleu_signature})\n"
        f"chrF {scores.chrf:.2f} ({scores.chrf_signature})"
    )
    assert corpus_scores(["A dog runs home."], ["a dog runs home."]).bleu < 100  # cased


def test_what_a_reader_does_not_see_does_not_count():
    ours = ["die Größe beträgt 10 % von allem", "ein Mann"]
    theirs = [
        "die Gro\u0308\u00dfe betra\u0308gt 10\u00a0% von\u200b allem",
        "ein Mann",
    ]
    assert corpus_scores(ours, theirs).bleu == 100.0
    assert corpus_scores(theirs, ours).chrf == 100.0


def test_what_is_no_text():
    with pytest.raises(
        ValueError, match=r"references\[0\] must be a string; received 3"
    ):
        corpus_scores(["a"], [3])
    with pytest.raises(ValueError, match="translations must be a list of strings"):
        corpus_scores("a", ["a"])


@pytest.mark.parametrize("translations, references", [([], []), (["a"], ["a", "b"])])
def test_bad_lists(translations, references):
    counts = rf"\({len(translations)}, {len(references)}\)"
    message = f"must be equally many, and at least one; received {counts}"
    with pytest.raises(ValueError, match=message):
        corpus_scores(translations, references)
