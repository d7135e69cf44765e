"""`info` says what a run or an export is, and clearly what is neither."""

import json
import shutil

import pytest

from keras_transformer.cli import main as cli
from keras_transformer.export.export_directory import PACKAGES
from keras_transformer.runs.run import Run
from keras_transformer.runs.sealed_files import seal

# What is read are files, whatever backend wrote them.


@pytest.fixture
def own(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def test_a_run(own, main):
    found = json.loads(main("info", own, "--json"))
    assert found["parameters"] == Run.open(own).config.model.parameters
    assert found["data"]["train"].startswith("kept 200 of 200 pairs")
    assert found["exports"]["huggingface"].startswith("no: norm_first must be False")
    assert found["bytes"]["model.keras"] == (own / "model.keras").stat().st_size
    inside = [path for path in (own / "data").rglob("*") if path.is_file()]
    assert found["bytes"]["data"] == sum(path.stat().st_size for path in inside)
    text = main("info", own)
    assert f"- parameters: {found['parameters']:,}\n" in text
    assert 'keras-transformer translate RUN "A sentence."' in text


def test_what_cannot_be_exported_and_why(own, main, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = json.loads(main("info", own, "--json"))["exports"]
    assert {*found} == {*PACKAGES}
    missing = 'no: ctranslate2 is not installed: pip install -e ".[ctranslate2]" in the'
    assert found["ctranslate2"].startswith(missing)
    (own / "model.keras").unlink()
    found = json.loads(main("info", own, "--json"))["exports"]
    assert all("holds no model" in why for why in found.values())


def test_an_evaluation_is_in_it(own, main, capsys):
    files = ["--source", own.parent / "a.tsv", "--extra-length", 2, "--beam", 1]
    (own.parent / "a.tsv").write_text("A man.\tEin Mann.\n", "utf-8")
    scores = json.loads(main("evaluate", own, *files, "--json"))
    found = json.loads(main("info", own, "--json"))["scores"]
    name = "a.tsv, 1 sentences, beam=1, extra_length=2"
    assert found[name] == {key: scores[key] for key in found[name]}
    assert name in (own / "README.md").read_text("utf-8")


def test_scores_that_cannot_be_kept_are_no_error(own, capsys, monkeypatch):
    files = ["--source", str(own.parent / "a.tsv"), "--extra-length", "2"]
    (own.parent / "a.tsv").write_text("A man.\tEin Mann.\n", "utf-8")
    monkeypatch.setattr("keras_transformer.runs.run.SCORES", "absent/scores.json")
    assert cli.main(["evaluate", str(own), *files]) == 0
    out, err = capsys.readouterr()
    assert "BLEU" in out and "warning: the scores are not kept in the run: " in err


def test_an_export(own, main, tmp_path, capsys):
    pytest.importorskip("ctranslate2")
    out = tmp_path / "out"
    main("export", own, out, "--to", "ctranslate2", "--beam", "2")
    found = json.loads(main("info", out, "--json"))
    assert (found["format"], found["quantization"]) == ("ctranslate2", "float32")
    assert found["decoding"]["beam"] == 2 and "model.bin" in found["bytes"]
    assert found["parameters"] == Run.open(own).config.model.parameters
    card = (out / "README.md").read_text("utf-8")
    for text in (card, main("info", out)):
        assert 'CTranslate2Translator.load("EXPORT")' in text
        assert "- format: ctranslate2\n" in text
    assert "- data:\n  - pairs: kept 200 of 200 pairs; dropped 0\n" in card
    assert "  - train: kept 200 of 200 pairs" in card
    for change, said in (
        ({"format": "../run"}, "format must be one of saved_model, ctranslate2, "),
        (
            {"model": {"d_model": 0}, "format": "onnx"},
            "d_model must be at least 1; received 0",
        ),
    ):
        config = json.loads((out / "config.json").read_text()) | change
        (out / "config.json").write_text(json.dumps(config))
        seal(out)
        assert cli.main(["info", str(out)]) == 2
        assert f"config.json' cannot be used: {said}" in capsys.readouterr().err


def test_what_is_neither(tmp_path, capsys):
    assert cli.main(["info", str(tmp_path / "absent")]) == 2
    assert "error: no run at '" in capsys.readouterr().err
    assert cli.main(["info", str(tmp_path)]) == 2
    assert "run must be a directory that `keras-tran" in capsys.readouterr().err
