"""Imported models as exports: what CTranslate2, TensorFlow, onnxruntime and transformers make of them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from checkpoints import complete  # noqa: E402
from making import sentences  # noqa: E402
from tokenizer_folders import FOLDERS  # noqa: E402

from keras_transformer import Translator, export, pretrained  # noqa: E402
from keras_transformer.config import DecodingConfig  # noqa: E402
from keras_transformer.export import CTranslate2Translator  # noqa: E402
from keras_transformer.export.to_ctranslate2 import specification  # noqa: E402
from keras_transformer.run_directory import load_model, load_tokenizers  # noqa: E402

TEXTS = [*sentences(12, seed=4), "The quick brown fox is not afraid.", "Zwölf Boxkämpfer, </s> ja!", ""]
SEARCH = dict(extra_length=6, max_source_length=30)


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """The checkpoint, its model and the run of one of `FOLDERS`; each made once."""
    made = {}

    def run_of(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            theirs, languages = complete(folder / "checkpoint", name, empty_pad=name == "marian")
            pretrained.load(folder / "checkpoint", folder / "run", *languages)
            made[name] = folder / "checkpoint", theirs, folder / "run"
        return made[name]

    return run_of


@pytest.mark.parametrize("name", FOLDERS)
def test_ctranslate2(run_of, name, tmp_path):
    _, _, run = run_of(name)
    check = export.ctranslate2(run, tmp_path / "out", **SEARCH)
    assert check.largest_difference < 1e-5
    for how in (dict(search="greedy"), dict(beam=4)):
        ours = Translator.load(run, DecodingConfig(**SEARCH, **how, penalty="power")).hypotheses(TEXTS)
        theirs = CTranslate2Translator.load(tmp_path / "out", **how).hypotheses(TEXTS)
        assert [h[0].tokens for h in theirs] == [h[0].tokens for h in ours]
        assert [h[0].text for h in theirs] == [h[0].text for h in ours]
        np.testing.assert_allclose([h[0].score for h in theirs], [h[0].score for h in ours], atol=1e-4)


def array(value):
    value = getattr(value, "tensor", value)
    return value.detach().numpy() if hasattr(value, "detach") else value.numpy()


def test_ctranslate2s_own_converter_makes_the_same_variables(run_of):
    from ctranslate2.converters.transformers import MarianMTLoader

    folder, theirs, run = run_of("marian")
    tokenizers = load_tokenizers(run)
    ours = specification(load_model(run), tokenizers, theirs.config.max_position_embeddings - 1)
    expected = MarianMTLoader().get_model_spec(transformers.MarianMTModel.from_pretrained(folder))
    for register in (expected.register_source_vocabulary, expected.register_target_vocabulary):
        register(tokenizers[0].pieces[:-1])
    expected.validate()
    ours, expected = ours.variables(), expected.variables()
    assert set(ours) == set(expected) and len(ours) > 60
    for name in ours:
        np.testing.assert_array_equal(array(ours[name]), array(expected[name]), err_msg=name, strict=True)


@pytest.mark.parametrize("name", ["marian", "m2m_100", "mbart"])
def test_saved_model(run_of, name, tmp_path):
    _, _, run = run_of(name)
    check = export.saved_model(run, tmp_path / "out", beam=3, **SEARCH)
    assert check.largest_difference < 1e-4
