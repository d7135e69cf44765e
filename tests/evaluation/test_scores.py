import importlib.util
import io
from typing import get_args

import pytest
from sacrebleu.metrics import BLEU

from keras_transformer.config import TrainingConfig
from keras_transformer.evaluation.scores import chosen_tokenize, corpus_scores

CHINESE = ["一个男人在街上骑自行车。", "两个女孩坐在长凳上看书。"]
NEARLY = ["一个男人在路上骑自行车。", "两个女孩坐在长凳上看书。"]


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


def test_a_nearly_perfect_chinese_translation():
    """Character by character, all n-grams by hand but those with the wrong one."""
    scores = corpus_scores(NEARLY, CHINESE)
    right = 23 / 24 * 20 / 22 * 17 / 20 * 14 / 18
    assert scores.bleu == pytest.approx(100 * right**0.25, abs=1e-3)
    assert "tok:zh" in scores.bleu_signature
    assert corpus_scores(NEARLY[:1], CHINESE[:1], "13a").bleu == 0.0


@pytest.mark.parametrize("tokenize", ["13a", "intl", "zh", "char", "none"])
def test_each_tokenisation_is_sacrebleus_own(tokenize):
    translations = ["A dog, say 3.5 kg, runs home.", "ein Mann in 北京 liest"]
    references = ["A dog, say 3.5 kg, runs off.", "ein Mann in 北海 liest"]
    found = corpus_scores(translations, references, tokenize)
    expected = BLEU(tokenize=tokenize).corpus_score(translations, [references])
    assert found.bleu == round(expected.score, 4)
    assert f"tok:{tokenize}" in found.bleu_signature


def test_the_setting_offers_what_sacrebleu_has():
    auto, *others = get_args(TrainingConfig.__annotations__["bleu_tokenize"])
    assert auto == "auto" and {*others} <= {*BLEU.TOKENIZERS}


@pytest.mark.parametrize(
    "reference, installed, expected",
    [
        ("Ein Mann fährt Rad.", True, "13a"),
        ("Человек едет на велосипеде.", True, "13a"),
        ("एक आदमी साइकिल चलाता है।", True, "13a"),
        ("12 - 3 !", True, "13a"),
        ("Ein Mann namens 王 fährt Rad.", True, "13a"),
        ("一个男人在街上骑自行车。", True, "zh"),
        ("用 iPhone 15 Pro 拍摄的照片。", True, "zh"),
        ("男が通りで自転車に乗っている。", True, "ja-mecab"),
        ("男が通りで自転車に乗っている。", False, "char"),
        ("한 남자가 거리에서 자전거를 탄다.", True, "ko-mecab"),
        ("한 남자가 거리에서 자전거를 탄다.", False, "char"),
        ("ผู้ชายขี่จักรยานบนถนน", True, "char"),
        ("បុរសជិះកង់", True, "char"),
    ],
)
def test_the_script_chooses(monkeypatch, capsys, reference, installed, expected):
    find = importlib.util.find_spec

    def find_or_not(name):
        is_mecab = name.lower().startswith("mecab") or name == "ipadic"
        return (True if installed else None) if is_mecab else find(name)

    monkeypatch.setattr("importlib.util.find_spec", find_or_not)
    assert chosen_tokenize("auto", [reference, ""]) == expected
    said = f"BLEU's tokenisation is {expected}, for the script of the references"
    word = f"{said}; bleu_tokenize chooses another.\n"
    assert capsys.readouterr() == ("", "" if expected == "13a" else word)


def test_what_is_chosen_is_not_said(capsys):
    assert chosen_tokenize("intl", CHINESE) == "intl"
    assert capsys.readouterr() == ("", "")


def test_a_tokenisation_that_cannot_be_used(monkeypatch):
    with pytest.raises(ValueError, match="bleu_tokenize must be auto or one of none, "):
        corpus_scores(["a"], ["a"], "klingon")
    monkeypatch.setattr("importlib.util.find_spec", {"MeCab": True}.get)
    hint = r'ipadic is not installed: pip install -e "\.\[bleu\]" in the clone'
    with pytest.raises(ImportError, match=hint):
        chosen_tokenize("ja-mecab", ["a"])

    def fail(tokenize):
        raise OSError("no route to host")

    fail.TOKENIZERS = BLEU.TOKENIZERS
    monkeypatch.setattr("sacrebleu.metrics.BLEU", fail)
    message = "bleu_tokenize must be usable; received 'spm': no route to host"
    with pytest.raises(ValueError, match=message):
        chosen_tokenize("spm", ["a"])


def test_any_iterable_once_and_no_lone_string():
    lines = ["the cat sat on a mat", "a dog"]
    expected = corpus_scores(lines, lines)
    assert corpus_scores(iter(lines), (line for line in lines)) == expected
    assert (
        corpus_scores(dict.fromkeys(lines), io.StringIO("\n".join(lines))) == expected
    )
    for wrong in ("a dog", None, 5):
        with pytest.raises(ValueError, match="references must be a list of strings"):
            corpus_scores(lines, wrong)
    with pytest.raises(ValueError, match=r"translations\[1\] must be a string"):
        corpus_scores(["a", None], lines)
