import json
import subprocess
import sys

import numpy as np
import pytest
from making import make_run, sentences

from keras_transformer import Translator, export
from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.translator import pad
from keras_transformer.export.onnx_loop import OnnxTransformer
from keras_transformer.text.special_tokens import BEGIN, END, PAD


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    sizes = dict(value_dim=5, positions="learned", max_positions=44)
    run = make_run(folder / "run", norm_first=True, share_embeddings=False, **sizes)
    check = export.onnx(run, folder / "out")
    assert check.largest_difference < 1e-5 and len(set(check.shapes)) == 2
    return run, folder / "out"


def test_greedy_tokens_and_logits_are_the_models(exported):
    run, out = exported
    translator, theirs = (
        Translator.load(run, DecodingConfig(search="greedy", extra_length=6)),
        OnnxTransformer(out),
    )
    texts = sentences(40, seed=5)
    expected = translator.hypotheses(texts)
    source_ids = [[*ids, END] for ids in translator.source_tokenizer.encode(texts)]
    source_ids = pad(source_ids, len(texts), max(map(len, source_ids)))
    found = theirs.greedy(source_ids, extra_length=6)
    assert [tuple(i for i in row if i != PAD) for row in found.tolist()] == [
        best.tokens for (best,) in expected
    ]
    # NumPy arrays of two shapes, padding among them.
    for rows, shape in (((0, 3), (3, 7)), ((3, 10), (7, 11))):
        target_ids = np.insert(
            np.random.default_rng(0).integers(4, 60, shape, "int32"), 0, BEGIN, axis=1
        )
        inputs = {"source_ids": source_ids[slice(*rows)], "target_ids": target_ids}
        logits = np.array(
            [np.asarray(row) for row in translator.model.predict_on_batch(inputs)]
        )
        np.testing.assert_allclose(theirs.logits(**inputs), logits, atol=1e-5)


def test_hypotheses_of_a_sentence_share_its_encoding(exported):
    theirs, source_ids = (
        OnnxTransformer(exported[1]),
        np.array([[5, 6, END], [7, END, PAD]], "int32"),
    )
    read, cache = theirs.begin(source_ids, 4)
    four = [np.repeat(x, 2, axis=1) for x in cache]
    once, _ = theirs.step(np.array([2, 2], "int32"), 0, read, cache)
    twice, _ = theirs.step(np.array([2, 2, 2, 2], "int32"), 0, read, four)
    np.testing.assert_allclose(twice, np.repeat(once, 2, axis=0), atol=1e-5)


def test_the_loop_needs_neither_us_nor_a_backend(exported):
    run, out = exported
    program = (
        "import runpy, sys; path, *sys.argv[1:] = sys.argv[1:]\n"
        "sys.modules |= dict.fromkeys(['keras', 'keras_transformer', 'tensorflow', 'jax', 'torch'])\n"
        "runpy.run_path(path, run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", program, out / "translate.py"]
    texts = ["a man", "", "the dog ", "a " * 60, "é"]
    translator = Translator.load(run, DecodingConfig(search="greedy"))
    for more, given in ((texts, None), ([], "".join(text + "\n" for text in texts))):
        answer = subprocess.run(
            [*command, *more], input=given, capture_output=True, encoding="utf-8"
        )
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.split("\n")[:-1] == translator(texts)


def test_config_says_what_it_is(exported):
    config = json.loads((exported[1] / "config.json").read_text())
    assert (
        config["format"] == "onnx"
        and config["check"]["of"] == "logits, relative to the largest"
        and "decoding" not in config
    )
    assert {"keras", "tf2onnx", "onnxruntime", "tensorflow"} == set(config["made_with"])
