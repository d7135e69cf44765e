"""A run to hand on, in float32 or int8."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH
from small import contents

from keras_transformer import Translator, export
from keras_transformer.cli.main import main
from keras_transformer.runs.run import Run
from keras_transformer.training.train import train

# A file is written, whatever backend has its arrays.
pytestmark = ON_TORCH
TEXTS = ["", "a man rides a bike", "two young girls are sitting on a bench ."]


@pytest.fixture(scope="module")
def small(trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("keras") / "small"
    check = export.keras(trained, out, "int8")
    assert 0 < check.largest_difference < check.tolerance == 0.2
    assert len(set(check.shapes)) == 2
    return out


def test_int8_is_a_run_that_everything_opens(small, trained):
    names = ["README.md", "config.json", "manifest.json", "model.keras"]
    names += ["tokenizer.model"]
    assert sorted(path.name for path in small.iterdir()) == names
    run = Run.open(small)
    assert run.config.quantization == "int8"
    model = run.model()
    loaded = keras.models.load_model(small / "model.keras")
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (one, other)))
    # Every kernel of a block and the one embedding: 6 + 10 + 1.
    kinds = [one.dtype for one in model.weights]
    assert kinds.count("int8") == 17
    found = Translator(loaded, *run.tokenizers)(TEXTS)
    assert found == Translator.load(small)(TEXTS) and len(found) == 3


def test_int8_rounds_the_weights_of_the_run(small, trained):
    """A kernel is its int8 numbers over the scale of their column."""
    ours = Run.open(trained).model().encoder.blocks[0].feed_forward.expand
    theirs = Run.open(small).model().encoder.blocks[0].feed_forward.expand
    scale = ops.convert_to_numpy(theirs.kernel_scale)
    assert scale.shape == (16,)
    found = ops.convert_to_numpy(theirs.kernel) / scale
    before = ops.convert_to_numpy(ours.kernel)
    np.testing.assert_allclose(found, before, atol=0.51 / scale.min())
    bias = map(ops.convert_to_numpy, (theirs.bias, ours.bias))
    np.testing.assert_array_equal(*bias)


def test_float32_is_the_run_without_data(trained, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["export", str(trained), str(out), "--to", "keras"]) == 0
    assert "largest difference of log-probability per token: 0 " in (
        capsys.readouterr().out
    )
    assert Run.open(out).config == Run.open(trained).config
    pair = (Run.open(trained).model().weights, Run.open(out).model().weights)
    for one, other in zip(*pair, strict=True):
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (one, other)))


def test_what_cannot_be_is_refused(small, trained, corpus, tmp_path, capsys):
    before = contents(small.parent)
    message = "quantization must be one of float32, int8; received 'float16'"
    with pytest.raises(ValueError, match=message):
        export.keras(trained, tmp_path / "out", "float16")
    for write in (export.keras, export.onnx):
        message = "run must hold float weights; received 'int8'"
        with pytest.raises(ValueError, match=message):
            write(small, tmp_path / "out")
    message = "init_from must hold float weights; received 'int8'"
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "out", *corpus, init_from=small)
    with pytest.raises(ValueError, match="out must not be the run, hold it or"):
        export.keras(trained, trained, overwrite=True)
    with pytest.raises(ValueError, match="exists already; pass --overwrite"):
        export.keras(trained, small)
    assert not list(tmp_path.iterdir()) and contents(small.parent) == before
    assert main(["train", str(small), "--resume"]) == 2
    error = capsys.readouterr().err
    assert "small' must hold the data of its training, to be resumed" in error


def test_a_config_that_says_another_kind_is_refused(small, tmp_path):
    """Weights that are not those of the model are never read as such."""
    run = Run.open(small)
    for quantization in (None, "int4", "int9"):
        folder = tmp_path / str(quantization)
        folder.mkdir()
        shutil.copy(small / "model.keras", folder)
        config = dataclasses.replace(run.config, quantization=quantization)
        copy = Run.begin(folder, config, run.tokenizers)
        with pytest.raises(ValueError, match="cannot be read as the model that"):
            copy.model()
