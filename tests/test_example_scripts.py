"""The scripts of `examples/` run."""

import re
import runpy
from pathlib import Path

import pytest
from layer_checks import some_slow

EXAMPLES = Path(__file__).parent.parent / "examples"


def printed_by(name, capsys, **options):
    script = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    script["main"](epochs=1, **options)
    return capsys.readouterr().out


def test_keras_tutorial(capsys):
    printed = printed_by("keras_tutorial", capsys, pairs=100)
    assert "val_accuracy" in printed
    assert "A friendly child is washing five bikes. -> " in printed
    assert "BLEU" in printed


# What each task prints last.
SCORES = {
    "classify": r"accuracy \d+\.\d% of 174 sentences",
    "answer_questions": r"exact match \d+\.\d% of 300 answers",
    "generate_text": r"perplexity \d+\.\d\d a test token",
    "words_to_text": r"rougeL F \d+\.\d",
    "semantic_parsing": r"new objects: \d+\.\d% of forms right",
    "parse_trees": r"labelled-bracket F1 [01]\.\d{3}",
}
LONG = ("semantic_parsing", "parse_trees")


@pytest.mark.parametrize("name", some_slow(SCORES, LONG))
def test_a_task_ends_with_its_score(name, capsys, monkeypatch):
    for library in ("nltk", "rouge_score", "sklearn"):
        pytest.importorskip(library, reason="the extra `examples` is missing")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    printed = printed_by(name, capsys, count=100)
    assert re.fullmatch(SCORES[name], printed.strip().splitlines()[-1])


@pytest.mark.parametrize("name", SCORES)
def test_a_task_is_one_screen(name):
    text = (EXAMPLES / f"{name}.py").read_text("utf-8")
    assert len(text.splitlines()) <= 60
    assert f"examples/{name}.py" in text
