import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import scripts
from layer_checks import ON_TORCH
from making import clear_sentences

from keras_transformer import Translator
from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.batching import pad
from keras_transformer.export import onnx_loop
from keras_transformer.export.onnx_loop import OnnxTransformer
from keras_transformer.runs.run import Run
from keras_transformer.text.special_tokens import BEGIN, END, PAD

# What is exported are the arrays of a run, whatever backend wrote them.
pytestmark = ON_TORCH


def test_greedy_tokens_and_logits_are_the_models(varied, portable):
    search = DecodingConfig(search="greedy", extra_length=6)
    translator = Translator.load(varied, search)
    theirs = OnnxTransformer(portable)
    texts = clear_sentences(translator, 40, seed=5)
    expected = translator.hypotheses(texts)
    source_ids = [[*ids, END] for ids in translator.source_tokenizer.encode(texts)]
    source_ids = pad(source_ids, len(texts), max(map(len, source_ids)), PAD)
    found = theirs.greedy(source_ids, extra_length=6)
    assert [tuple(i for i in row if i != PAD) for row in found.tolist()] == [
        best.ids for (best,) in expected
    ]
    # NumPy arrays of two shapes, padding among them.
    random = np.random.default_rng(0)
    for rows, shape in (((0, 3), (3, 7)), ((3, 10), (7, 11))):
        target_ids = np.insert(random.integers(4, 60, shape, "int32"), 0, BEGIN, axis=1)
        inputs = {"source_ids": source_ids[slice(*rows)], "target_ids": target_ids}
        logits = translator.model.predict_on_batch(inputs)
        logits = np.array([np.asarray(row) for row in logits])
        np.testing.assert_allclose(theirs.logits(**inputs), logits, atol=3e-5)


def test_hypotheses_of_a_sentence_share_its_encoding(portable):
    theirs = OnnxTransformer(portable)
    source_ids = np.array([[5, 6, END], [7, END, PAD]], "int32")
    read, cache = theirs.begin(source_ids, 4)
    four = [np.repeat(x, 2, axis=1) for x in cache]
    once, _ = theirs.step(np.array([2, 2], "int32"), 0, read, cache)
    twice, _ = theirs.step(np.array([2, 2, 2, 2], "int32"), 0, read, four)
    np.testing.assert_allclose(twice, np.repeat(once, 2, axis=0), atol=1e-5)


def test_the_loop_needs_neither_us_nor_a_backend(varied, portable):
    program = """
import runpy, sys
path, *sys.argv[1:] = sys.argv[1:]
foreign = ["keras", "keras_transformer", "tensorflow", "jax", "torch"]
sys.modules |= dict.fromkeys(foreign)
runpy.run_path(path, run_name="__main__")
"""
    command = [sys.executable, "-I", "-c", program, portable / "translate.py"]
    translator = Translator.load(varied, DecodingConfig(search="greedy"))
    first, second, *others = clear_sentences(translator, 5)
    texts = [first, "", f"{second} ", *others]
    ids = translator.source_tokenizer.encode(["a " * 60])[0]
    assert len(ids) > 43
    (longest,) = translator.source_tokenizer.decode([ids[:43]])
    texts_and_long = [*texts, longest, "a " * 60]
    lines = "".join(text + "\n" for text in texts_and_long)
    for arguments, given in ((texts_and_long, None), ([], lines)):
        answer = subprocess.run(
            [*command, *arguments], input=given, capture_output=True, encoding="utf-8"
        )
        assert answer.returncode == 0, answer.stderr
        *found, whole, cut, rest = answer.stdout.split("\n")
        assert found == translator(texts)
        assert whole == cut and not rest


def loop(portable, *arguments, given=b""):
    command = [sys.executable, portable / "translate.py", *arguments]
    return subprocess.run(command, input=given, capture_output=True)


def test_the_loop_reads_text_as_the_command_does(varied, portable):
    translator = Translator.load(varied, DecodingConfig(search="greedy"))
    first, second, third = clear_sentences(translator, 3)
    lines = [
        f"\ufeff{first}\r",
        f" {second.replace(' ', chr(0xA0))}\u200b\0",
        "\u200b\u2060\ufeff",
        third.replace(" ", "\u2028\r"),
    ]
    answer = loop(portable, given="\n".join(lines).encode())
    assert answer.returncode == 0, answer.stderr.decode()
    expected = [*translator([first, second]), "", *translator([third])]
    assert answer.stdout.decode().splitlines() == expected


def test_the_loop_cuts_where_the_runs_translator_does(portable, tmp_path):
    out = shutil.copytree(portable, tmp_path / "out")
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps(config | {"longest_source": 4}))
    short, long = (loop(out, text) for text in ("a", "a " * 9))
    assert short.stderr == b""
    message = "translate.py: cut to 4 tokens: 'a a a a a a a a a '...\n"
    assert long.stderr.decode() == message


def test_the_loop_refuses_what_is_no_text(portable):
    for arguments, given, name in (
        ([b"a \xff"], b"", "the text"),
        ([], b"\na \xff\n", "standard input, line 2,"),
    ):
        answer = loop(portable, *arguments, given=given)
        assert answer.returncode == 1
        message = f"translate.py: error: {name} must be UTF-8: "
        (line,) = answer.stderr.decode().splitlines()
        assert line.startswith(message)
    for wrong in ("-1", "11", "x", "99999999999"):
        with pytest.raises(SystemExit, match="must be numbers from 0 to 10; received"):
            onnx_loop.Ids(11).encode(f"3 {wrong}")
    assert onnx_loop.Ids(11).encode("3 10 0") == [3, 10, 0]


def test_the_loop_cuts_text_as_our_tokenizers_do(varied, portable):
    lines = scripts.sentences(200)
    tokenizers = Run.open(varied).tokenizers
    for side, ours in zip(("source", "target"), tokenizers, strict=True):
        theirs = onnx_loop.tokenizer(portable, side, ours.vocab_size)
        rows = ours.encode(lines)
        assert [theirs.encode(line.replace("\0", "")) for line in lines] == rows
        assert [theirs.decode(row) for row in rows] == ours.decode(rows)


def test_config_says_what_it_is(portable):
    config = json.loads((portable / "config.json").read_text())
    assert config["format"] == "onnx" and "decoding" not in config
    assert config["check"]["of"] == "logits, relative to the largest"
    assert config["longest_source"] == 256 and config["positions"] == 44
    packages = {"keras", "tf2onnx", "onnxruntime", "tensorflow"}
    assert packages == set(config["made_with"])
