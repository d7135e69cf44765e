"""Several runs, which translate together, as one SavedModel."""

import json

import numpy as np
import pytest
from layer_checks import ON_TORCH
from making import SEARCH, is_clear, make_run, sentences
from small import contents

from keras_transformer import Translator, export
from keras_transformer.cli import main as cli
from keras_transformer.config import DecodingConfig
from keras_transformer.export import to_saved_model
from keras_transformer.process.child_process import run_under_tensorflow

pytestmark = ON_TORCH
FLAGS = "--to saved_model --beam 3 --extra-length 7 --max-source-length 60".split()


@pytest.mark.slow
def test_translations_are_those_of_the_ensemble(paper, tmp_path, capsys):
    other = make_run(tmp_path / "other", d_ff=31, encoder_layers=1)
    runs = [str(paper), str(other)]
    out = tmp_path / "out"
    assert cli.main(["export", *runs, str(out), *FLAGS]) == 0
    texts = sentences(20, seed=5)
    requests = [["serving_default", {"text": texts}]]
    reader = str(to_saved_model.READER)
    printed = run_under_tensorflow(reader, str(out / "1"), task=requests)
    (found,) = json.loads(printed.splitlines()[-1])
    translator = Translator.load(runs, DecodingConfig(**SEARCH, n_best=2))
    expected = translator.hypotheses(texts)
    scores = [best.score for best, *_ in expected]
    np.testing.assert_allclose(found["score"], scores, atol=1e-4)
    clear = [row for row, both in enumerate(expected) if is_clear(both)]
    assert len(clear) > 10
    for row in clear:
        assert found["translation"][row] == expected[row][0].text

    config = json.loads((out / "config.json").read_text("utf-8"))
    sizes = [model.config.parameters for model in translator.model.models]
    assert (config["models"], config["parameters"]) == (2, sum(sizes))
    capsys.readouterr()
    assert cli.main(["info", str(out)]) == 0
    said = capsys.readouterr().out
    assert "models: 2, whose probabilities are averaged" in said
    assert f"parameters: {sum(sizes):,}" in said


@pytest.mark.parametrize("to", ["onnx", "ctranslate2", "keras"])
def test_other_formats_take_one(untrained, tmp_path, capsys, to):
    runs = [str(untrained)] * 2
    assert cli.main(["export", *runs, str(tmp_path / "out"), "--to", to]) == 2
    message = f"RUN must be one with --to {to}; received [{str(untrained)!r}, "
    assert message in capsys.readouterr().err
    assert contents(tmp_path) == {}


def test_what_is_refused(untrained, tmp_path):
    other = make_run(tmp_path / "other", epochs=0, share_embeddings=False)
    before = contents(tmp_path)
    message = "runs must have the tokenizers of '.*'; received '.*other'"
    with pytest.raises(ValueError, match=message):
        export.saved_model([untrained, other], tmp_path / "out")
    with pytest.raises(ValueError, match="out must not be the run, hold it or"):
        export.saved_model([untrained, untrained], untrained, overwrite=True)
    with pytest.raises(ValueError, match="run must be a directory, or several"):
        export.saved_model([], tmp_path / "out")
    assert contents(tmp_path) == before
