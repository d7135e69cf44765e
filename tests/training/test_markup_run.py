"""A run whose markup is copied, from its files to an export."""

import json

import pytest
from layer_checks import ON_TORCH
from small import MODEL, training

from keras_transformer import Translator, export, train
from keras_transformer.config import DataConfig
from keras_transformer.export.export_directory import check_format
from keras_transformer.runs.run import Run

pytestmark = ON_TORCH
DATA = DataConfig(vocab_size=70, batch_tokens=400, markup="rst, python-format")
SOURCE = "call ``f({})`` with {{n}} and %s of the %d men {}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("markup")
    numbers = range(60)
    source = [SOURCE.format(n, n) for n in numbers]
    target = [f"{n} men %d and {{n}}: ``f({n})`` and %s" for n in numbers]
    target[7] = "no markup at all"
    for name, lines in {"en": source, "xx": target}.items():
        (folder / name).write_text("\n".join(lines), "utf-8")
    files = (folder / "en", folder / "xx")
    train(folder / "run", *files, model=MODEL, data=DATA, training=training())
    return folder / "run"


def test_pairs_whose_markup_does_not_fit_are_counted(run):
    content = json.loads((run / "data" / "train" / "store.json").read_text())
    assert content["report"]["markup"] == 1
    assert content["report"]["kept"] == 59


def test_a_run_translates_with_its_markup(run):
    translator = Translator.load(run)
    assert translator.markup.presets == ("rst", "python-format")
    text = SOURCE.format(101, 101)
    (found,) = translator.hypotheses([text])
    _, marks = translator.markup.protect(text)
    assert all(found[0].text.count(mark) == 1 for mark in marks)
    assert found[0].lost == ()


def test_what_says_the_markup_is_sealed(run, tmp_path):
    path = run / "markup.json"
    content = path.read_text()
    try:
        path.write_text(content.replace("rst", "icu"))
        with pytest.raises(ValueError, match="markup.json"):
            assert Run.open(run).tokenizers
    finally:
        path.write_text(content)


def test_ctranslate2_puts_it_back_and_invents_none(run, tmp_path):
    pytest.importorskip("ctranslate2")
    export.ctranslate2(run, tmp_path / "fast", length_penalty=0.0)
    translator = export.CTranslate2Translator.load(tmp_path / "fast")
    text = SOURCE.format(5, 5)
    (found,) = translator.hypotheses([text])
    _, marks = translator.markup.protect(text)
    kept = [mark for mark in marks if mark in found[0].text]
    assert sorted([*kept, *found[0].lost]) == sorted(marks)
    assert "\u0387" not in found[0].text


@pytest.mark.parametrize("format", ["onnx", "saved_model", "huggingface", "kerashub"])
def test_exports_without_python_refuse_it(run, format):
    with pytest.raises(ValueError, match=f"the run must have no markup for {format}"):
        check_format(Run.open(run), format)
