import itertools
import json
import math
import os
import re
import runpy
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from layer_checks import ON_TORCH
from making import SEARCH, clear_sentences, is_clear, make_run, sentences

from keras_transformer import Translator, export
from keras_transformer.cli.parser import build_parser
from keras_transformer.config import DecodingConfig
from keras_transformer.export import to_saved_model
from keras_transformer.runs.run import Run
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.special_tokens import PAD

# What is exported are the arrays of a run, whatever backend wrote them.
pytestmark = ON_TORCH

CLIENT = Path(__file__).parents[2] / "examples" / "serving" / "client.py"
PROGRAM = """
import runpy, sys

# These cannot be imported; Keras must not be used, but tensorflow_text imports it.
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in ("keras_hub", "keras_transformer", "jax", "torch"):
            raise ImportError(name)

# None in `sys.modules` would do, were it not for SciPy, which looks at what is there.
sys.meta_path.insert(0, Blocked())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def ask(folder, requests):
    """What a process with TensorFlow alone gets for (signature, inputs) requests."""
    reader = to_saved_model.READER
    process = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, reader, folder, json.dumps(requests)],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        encoding="utf-8",
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return json.loads(process.stdout.splitlines()[-1])


def graph_of(folder):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString(
        (folder / "saved_model.pb").read_bytes()
    )
    return saved.meta_graphs[0].graph_def


def functions(folder):
    """The functions of a SavedModel."""
    return graph_of(folder).library.function


def operations(folder):
    """The names of all operations of a SavedModel."""
    return {node.op for node in graph_of(folder).node} | {
        node.op for f in functions(folder) for node in f.node_def
    }


def test_a_process_with_tensorflow_alone_translates_the_same(varied, saved):
    translator = Translator.load(varied, DecodingConfig(**SEARCH, n_best=3))
    texts = [
        *clear_sentences(translator, 44, seed=5),
        "",
        " \t\u2003\u200b\ufeff ",
        "U\u0308nïcödé\u00a0火 🚲\u200b",
        "a " * 60,
        "a  man\n  runs ",
        "</s> a man",
    ]
    batches = [
        texts[start : start + size]
        for size in (1, 7, 50)
        for start in range(0, 50, size)
    ]
    requests = [("serving_default", {"text": batch}) for batch in batches]
    requests.append(("n_best", {"text": texts}))
    requests.append(("n_best", {"text": []}))
    *answers, n_best, nothing = ask(saved / "1", requests)
    assert nothing == dict(translations=[], scores=[], ids=[])
    expected = translator.hypotheses(texts)
    translations = [text for answer in answers for text in answer["translation"]]
    scores = [score for answer in answers for score in answer["score"]]
    np.testing.assert_allclose(
        scores, 3 * [best.score for best, *_ in expected], atol=1e-4
    )
    clear = [row for row, found in enumerate(expected) if is_clear(found)]
    assert len({expected[row][0].text for row in clear}) > 40
    for row in clear:
        best, *_ = expected[row]
        assert translations[row::50] == [best.text] * 3
        for place, hypothesis in enumerate(expected[row][:2]):
            assert n_best["translations"][row][place] == hypothesis.text
            found = n_best["ids"][row][place]
            assert [i for i in found if i] == list(hypothesis.ids)
    for row, hypotheses in enumerate(expected):
        for hypothesis, score in zip(hypotheses, n_best["scores"][row]):
            assert score == pytest.approx(hypothesis.score, abs=1e-4)
    for blank in (44, 45):
        assert n_best["scores"][blank] == [0.0, -math.inf, -math.inf]
        assert n_best["translations"][blank] == ["", "", ""]
        assert set(np.ravel(n_best["ids"][blank])) == {PAD}


@pytest.mark.slow
def test_other_runs_and_searches(tmp_path):
    """Post-norm, a vocabulary that spells bytes, half precision, greedy."""
    run = make_run(
        tmp_path / "run", dtype="mixed_bfloat16", byte_fallback=True, epochs=12
    )
    search = dict(search="greedy", penalty="power", extra_length=9)
    export.saved_model(run, tmp_path / "out", **search)
    tokenizers = Run.open(run).tokenizers
    translator = Translator(
        Run.open(run).model("float32"), *tokenizers, DecodingConfig(**search)
    )
    texts = [*sentences(40, seed=5), "Ünïcödé 火 🚲", ""]
    (answer,) = ask(tmp_path / "out" / "1", [("serving_default", {"text": texts})])
    found = translator.hypotheses(texts, token_scores=True)
    np.testing.assert_allclose(
        answer["score"], [best.score for (best,) in found], atol=1e-4
    )
    clear = [row for row in range(40) if is_clear(found[row])]
    assert len({found[row][0].text for row in clear}) > 10
    for row in clear:
        assert answer["translation"][row] == found[row][0].text
    assert answer["translation"][-1] == ""


def test_what_is_in_the_directory(saved):
    import tensorflow as tf

    found = operations(saved / "1")
    assert not [name for name in found if "Xla" in name or "PyFunc" in name]
    foreign = {name for name in found if not hasattr(tf.raw_ops, name)}
    assert foreign == {
        "SentencepieceOp",
        "SentencepieceTokenizeOp",
        "SentencepieceDetokenizeOp",
    }
    config = json.loads((saved / "config.json").read_text())
    assert config["format"] == "saved_model" and config["decoding"]["beam"] == 3
    check = config["check"]
    assert 0 <= check["largest_difference"] <= check["tolerance"] == 1e-4
    assert len(check["shapes"]) == 2


def warm_up_requests(folder):
    """The (signature, inputs) that TensorFlow Serving answers before all others."""
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    path = folder / "1" / "assets.extra" / "tf_serving_warmup_requests"
    asked = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = PredictionLog.FromString(record.numpy()).predict_log.request
        texts = tf.make_ndarray(request.inputs["text"])
        inputs = {"text": [text.decode() for text in texts]}
        asked.append((request.model_spec.signature_name, inputs))
    return asked


@pytest.mark.slow
def test_warm_up_requests_are_answered(saved):
    asked = warm_up_requests(saved)
    assert {name for name, _ in asked} == {"serving_default", "n_best"}
    answers = ask(saved / "1", asked)
    assert [len(answer.popitem()[1]) for answer in answers] == [1, 1, 4, 4]


@pytest.mark.slow
def test_xla_compiles_the_search(varied, saved, tmp_path):
    """The same answers, and a warm-up that has every shape that is compiled."""
    from keras_transformer.export.graph_search import ROWS, WIDTHS

    export.saved_model(varied, tmp_path / "out", xla=True, **SEARCH)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["xla"] is True
    compiled = tmp_path / "out" / "1"
    found = [f.attr["_XlaMustCompile"].b for f in functions(compiled)]
    assert sum(found) == 2 * len(WIDTHS) and not any(
        f.attr["_XlaMustCompile"].b for f in functions(saved / "1")
    )

    texts = [*sentences(32, seed=5, longest=35), "", "a " * 60, "a man"]
    parts = (texts[:1], texts[1:8], texts[26:], texts)  # the last is for the graph
    requests = [("n_best", {"text": part}) for part in parts]
    answers = zip(ask(saved / "1", requests), ask(compiled, requests), strict=True)
    for graph, xla in answers:
        np.testing.assert_allclose(xla["scores"], graph["scores"], atol=1e-4)
        assert xla["ids"] == graph["ids"]
        assert xla["translations"] == graph["translations"]

    source, target = Run.open(varied).tokenizers
    form = SentenceFormat.of(source, target)
    asked = [inputs["text"] for _, inputs in warm_up_requests(tmp_path / "out")]
    shapes = {
        (len(rows), max(len(form.source(ids)) for ids in source.encode(rows)))
        for rows in asked
    }
    widths = [16, 32, 44]  # of a model of 44 positions
    assert {
        (rows, min(width for width in widths if width >= tokens))
        for rows, tokens in shapes
        if rows in ROWS
    } == set(itertools.product(ROWS, widths))


@pytest.fixture(scope="module")
def server(saved):
    """The REST and gRPC addresses of a server of the export."""
    command = [sys.executable, Path(__file__).with_name("serving.py"), saved / "1"]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        ports = next(
            line for line in process.stdout if line.startswith("PORTS")
        ).split()[1:]
        yield tuple(f"127.0.0.1:{port}" for port in ports)
        process.stdin.close()


@pytest.fixture
def client(monkeypatch, capsys):
    """Call the example's client: what it prints, and why it ends early, if it does."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", [str(CLIENT), *arguments])
        why = None
        try:
            runpy.run_path(str(CLIENT), run_name="__main__")
        except SystemExit as error:
            why = error.code
        printed = capsys.readouterr()
        return printed.out, printed.err, why

    return call


def test_the_client_asks_by_rest_and_by_grpc(varied, server, client):
    rest, grpc = server
    translator = Translator.load(varied, DecodingConfig(**SEARCH, n_best=3))
    first, *others = clear_sentences(translator, 3)
    texts = [first, "", *others]
    expected = translator.hypotheses(texts)
    for address in (["--rest", rest], ["--grpc", grpc]):
        printed, _, why = client(*address, *texts)
        best = [hypotheses[0].text for hypotheses in expected]
        assert printed.splitlines() == best, why
        printed, _, _ = client(*address, "--n-best", *texts)
        found = [line.split("\t") for line in printed.splitlines()]
        for number, hypotheses in enumerate(expected, 1):
            rows = [row[1:] for row in found if row[0] == str(number)]
            assert len(rows) == len(hypotheses)
            scores = [float(score) for score, _ in rows]
            np.testing.assert_allclose(
                scores, [hypothesis.score for hypothesis in hypotheses], atol=2e-4
            )
            for hypothesis, (_, text) in zip(hypotheses[:2], rows):
                assert text == hypothesis.text


def test_the_body_of_the_readmes_curl(server, client):
    readme = CLIENT.with_name("README.md").read_text(encoding="utf-8")
    pattern = r"curl -d '(.*)' http://localhost:8501(\S+)"
    body, path = re.search(pattern, readme).groups()
    with urllib.request.urlopen(f"http://{server[0]}{path}", body.encode()) as response:
        outputs = json.load(response)["outputs"]
    texts = json.loads(body)["inputs"]["text"]
    printed, _, _ = client("--rest", server[0], *texts)
    assert outputs["translation"] == printed.splitlines()


def test_the_readmes_commands_are_spelled_right(client):
    readme = (
        CLIENT.with_name("README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    )
    lines = [
        shlex.split(line)
        for block in re.findall(r"```console\n(.*?)```", readme, re.DOTALL)
        for line in block.split("\n")
    ]
    ours = [words[1:] for words in lines if words[:1] == ["keras-transformer"]]
    asked = [
        words[2:]
        for words in lines
        if words[:2] == ["python", "examples/serving/client.py"]
    ]
    assert len(ours) == 2 and len(asked) == 2
    for command in ours:
        build_parser().parse_args(command)
    for command in asked:
        _, said, why = client(*command, "--timeout", "0.1")
        assert said == "" and why.startswith("client.py: error: ")


def test_the_client_says_what_is_wrong(server, client):
    rest, grpc = server
    for address in (["--rest", rest], ["--grpc", grpc]):
        printed, said, why = client(*address, "--model", "other", "a man")
        assert printed == said == ""
        assert "Servable not found for request: Latest(other)" in why
        assert len(why.splitlines()) == 1
    _, _, why = client("--rest", "127.0.0.1:1", "a man")
    assert re.match("client.py: error: .*refused", why)
