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


@pytest.mark.parametrize("translations, references", [([], []), (["a"], ["a", "b"])])
def test_bad_lists(translations, references):
    counts = rf"\({len(translations)}, {len(references)}\)"
    message = f"must be equally many, and at least one; received {counts}"
    with pytest.raises(ValueError, match=message):
        corpus_scores(translations, references)
