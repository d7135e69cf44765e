import json
import math
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from layer_checks import ON_TORCH, marked
from making import make_run, sentences

from keras_transformer import Translator, export
from keras_transformer.cli.main import build_parser
from keras_transformer.config import DecodingConfig
from keras_transformer.runs.run import Run
from keras_transformer.text.special_tokens import END, PAD

SEARCH = dict(beam=3, extra_length=7, max_source_length=60)
CLIENT = Path(__file__).parents[2] / "examples" / "serving" / "client.py"
PROGRAM = """
import json, sys
# These cannot be imported; Keras must not be used, but tensorflow_text imports it.
sys.modules |= dict.fromkeys(["keras_hub", "keras_transformer", "jax", "torch"])

import numpy as np
import tensorflow as tf
import tensorflow_text

loaded = tf.saved_model.load(sys.argv[1])
answers = []
for name, inputs in json.load(sys.stdin):
    found = loaded.signatures[name](**{key: tf.constant(value) for key, value in inputs.items()})
    decode = np.vectorize(lambda x: x.decode() if isinstance(x, bytes) else x, otypes=[object])
    answers.append({key: decode(value.numpy()).tolist() for key, value in found.items()})
print("ANSWERS" + json.dumps(answers))
"""


def ask(folder, requests):
    """What a process that imports TensorFlow and its text gets for (signature, inputs) requests."""
    process = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(folder)],
        input=json.dumps(requests),
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        encoding="utf-8",
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return json.loads(process.stdout.partition("ANSWERS")[2])


def operations(folder):
    """The names of all operations of a SavedModel, and the sizes of its string signature's inputs."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString(
        (folder / "saved_model.pb").read_bytes()
    )
    graph = saved.meta_graphs[0].graph_def
    return {node.op for node in graph.node} | {
        node.op for f in graph.library.function for node in f.node_def
    }


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    run = make_run(
        folder / "run",
        norm_first=True,
        share_embeddings=False,
        positions="learned",
        max_positions=44,
    )
    check = export.saved_model(run, folder / "out", **SEARCH)
    assert check.largest_difference < 1e-4
    return run, folder / "out"


def test_a_process_with_tensorflow_alone_translates_the_same(exported):
    run, out = exported
    texts = [
        *sentences(44, seed=5),
        "",
        " \t\u2003 ",
        "Ünïcödé 火 🚲",
        "a " * 60,
        "a  man\n  runs ",
        "</s> a man",
    ]
    translator = Translator.load(run, DecodingConfig(**SEARCH, n_best=3))
    expected = translator.hypotheses(texts)
    batches = [
        texts[start : start + size]
        for size in (1, 7, 50)
        for start in range(0, 50, size)
    ]
    *answers, n_best, ids = ask(
        out / "1",
        [
            *[("serving_default", {"text": batch}) for batch in batches],
            ("n_best", {"text": texts}),
            (
                "ids",
                {
                    "source_ids": [
                        [*translator.source_tokenizer.encode(["a man"])[0], END, PAD]
                    ]
                },
            ),
        ],
    )
    assert len({best.text for best, *_ in expected}) > 40
    assert [text for answer in answers for text in answer["translation"]] == 3 * [
        best.text for best, *_ in expected
    ]
    scores = [score for answer in answers for score in answer["score"]]
    np.testing.assert_allclose(
        scores, 3 * [best.score for best, *_ in expected], atol=1e-4
    )
    for hypotheses, *found in zip(
        expected, n_best["translations"], n_best["scores"], n_best["ids"], strict=True
    ):
        for hypothesis, text, score, tokens in zip(hypotheses, *found):
            assert text == hypothesis.text and score == pytest.approx(
                hypothesis.score, abs=1e-4
            )
            assert [i for i in tokens if i] == list(hypothesis.tokens)
    blank = texts.index("")
    assert n_best["scores"][blank] == [0.0, -math.inf, -math.inf] and n_best[
        "translations"
    ][blank] == ["", "", ""]
    assert set(np.ravel(n_best["ids"][blank])) == {PAD}
    (best, *_) = translator.hypotheses(["a man"])[0]
    assert [i for i in ids["ids"][0][0] if i] == list(best.tokens)
    assert ids["scores"][0][0] == pytest.approx(best.score, abs=1e-4)


@marked(ON_TORCH)
def test_other_runs_and_searches(tmp_path):
    """Post-norm, one vocabulary that spells bytes, trained in half precision, greedy with the other penalty."""
    run = make_run(
        tmp_path / "run", dtype="mixed_bfloat16", byte_fallback=True, epochs=4
    )
    search = dict(search="greedy", penalty="power", extra_length=9)
    export.saved_model(run, tmp_path / "out", **search)
    texts = [*sentences(20, seed=5), "Ünïcödé 火 🚲", ""]
    translator = Translator(
        Run.open(run).model("float32"), *Run.open(run).tokenizers, DecodingConfig(**search)
    )
    (answer,) = ask(tmp_path / "out" / "1", [("serving_default", {"text": texts})])
    expected = [best for best, *_ in translator.hypotheses(texts)]
    assert len({best.text for best in expected}) > 10
    assert answer["translation"] == [best.text for best in expected]
    np.testing.assert_allclose(
        answer["score"], [best.score for best in expected], atol=1e-4
    )


def test_what_is_in_the_directory(exported):
    import tensorflow as tf

    _, out = exported
    found = operations(out / "1")
    assert not [name for name in found if "Xla" in name or "PyFunc" in name]
    foreign = {name for name in found if not hasattr(tf.raw_ops, name)}
    assert foreign == {
        "SentencepieceOp",
        "SentencepieceTokenizeOp",
        "SentencepieceDetokenizeOp",
    }
    config = json.loads((out / "config.json").read_text())
    assert config["format"] == "saved_model" and config["decoding"]["beam"] == 3
    assert (
        0
        <= config["check"]["largest_difference"]
        <= config["check"]["tolerance"]
        == 1e-4
    )
    assert len(config["check"]["shapes"]) == 2


def test_warm_up_requests_are_answered(exported):
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    _, out = exported
    records = tf.data.TFRecordDataset(
        str(out / "1" / "assets.extra" / "tf_serving_warmup_requests")
    )
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in records
    ]
    requests = [log.predict_log.request for log in logs]
    assert {request.model_spec.signature_name for request in requests} == {
        "serving_default",
        "n_best",
    }
    texts = [
        [text.decode() for text in tf.make_ndarray(request.inputs["text"])]
        for request in requests
    ]
    answers = ask(
        out / "1",
        [(r.model_spec.signature_name, {"text": t}) for r, t in zip(requests, texts)],
    )
    assert [len(next(iter(answer.values()))) for answer in answers] == [1, 1, 4, 4]


@pytest.fixture(scope="module")
def server(exported):
    """The REST and gRPC addresses of a server of the export."""
    command = [
        sys.executable,
        Path(__file__).with_name("serving.py"),
        exported[1] / "1",
    ]
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


def client(*arguments):
    command = [sys.executable, CLIENT, *arguments]
    return subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )


def test_the_client_asks_by_rest_and_by_grpc(exported, server):
    rest, grpc = server
    texts = ["a man", "", "Ünïcödé 火", "the red dog"]
    translator = Translator.load(exported[0], DecodingConfig(**SEARCH, n_best=3))
    expected = [
        [(h.text, h.score) for h in hypotheses]
        for hypotheses in translator.hypotheses(texts)
    ]
    for address in (["--rest", rest], ["--grpc", grpc]):
        answer = client(*address, *texts)
        assert answer.stdout.splitlines() == [best for (best, _), *_ in expected], (
            answer.stderr[-500:]
        )
        lines = [
            line.split("\t")
            for line in client(*address, "--n-best", *texts).stdout.splitlines()
        ]
        found = [
            [(text, float(score)) for number, score, text in lines if number == str(n)]
            for n in range(1, 5)
        ]
        assert [[text for text, _ in row] for row in found] == [
            [text for text, _ in row] for row in expected
        ]
        np.testing.assert_allclose(
            [row[0][1] for row in found], [row[0][1] for row in expected], atol=2e-4
        )


def test_the_body_of_the_readmes_curl(exported, server):
    readme = CLIENT.with_name("README.md").read_text(encoding="utf-8")
    body, path = re.search(
        r"curl -d '(.*)' http://localhost:8501(\S+)", readme
    ).groups()
    with urllib.request.urlopen(f"http://{server[0]}{path}", body.encode()) as response:
        outputs = json.load(response)["outputs"]
    translator = Translator.load(exported[0], DecodingConfig(**SEARCH))
    assert outputs["translation"] == translator(json.loads(body)["inputs"]["text"])


def test_the_readmes_commands_are_spelled_right():
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
        assert "unrecognized" not in client(*command, "--timeout", "0.1").stderr


def test_the_client_says_what_is_wrong(server):
    rest, grpc = server
    for address in (["--rest", rest], ["--grpc", grpc]):
        answer = client(*address, "--model", "other", "a man")
        assert (
            answer.returncode == 1
            and "Servable not found for request: Latest(other)" in answer.stderr
        )
        assert len(answer.stderr.splitlines()) == 1 or address[0] == "--grpc"
    answer = client("--rest", "127.0.0.1:1", "a man")
    assert (
        answer.returncode == 1
        and "client.py: error: " in answer.stderr
        and "refused" in answer.stderr
    )
