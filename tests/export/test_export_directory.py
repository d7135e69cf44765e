"""What all exports promise: they are checked, and replace nothing unasked."""

import contextlib
import importlib
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH
from making import SEARCH
from small import contents

from keras_transformer import export
from keras_transformer.cli import main as cli
from keras_transformer.export import CTranslate2Translator, to_ctranslate2
from keras_transformer.export.comparison import Check, check_batches, compare
from keras_transformer.runs.run import Run
from keras_transformer.runs.sealed_files import sha256

pytestmark = ON_TORCH


@pytest.fixture
def run(untrained):
    return untrained


@pytest.fixture
def out(run, tmp_path):
    export.ctranslate2(run, tmp_path / "out")
    return tmp_path / "out"


def fails(capsys, *arguments):
    """The one line of error of a command that fails."""
    assert cli.main([str(argument) for argument in arguments]) == 2
    (line,) = [
        line for line in capsys.readouterr().err.splitlines() if "error: " in line
    ]
    return line


def test_an_export_keeps_the_languages_of_its_run(run, out):
    config = json.loads((out / "config.json").read_text("utf-8"))
    assert "languages" in config
    assert config["languages"] == Run.open(run).config.languages


def test_check_batches_have_the_shapes_and_are_the_same_each_time(run):
    first = check_batches(Run.open(run))
    second = check_batches(Run.open(run))
    sizes = [(len(batch.sources), len(batch.targets)) for batch in first]
    assert sizes == [(1, 1), (4, 4)]
    for one, other in zip(first, second, strict=True):
        assert (one.sources, one.targets) == (other.sources, other.targets)
        for name in ("source_ids", "target_ids"):
            np.testing.assert_array_equal(one.inputs[name], other.inputs[name])


def test_a_check_that_fails_says_by_how_much():
    check = Check("scores", ((1, 2),), 1e-6, 1e-4)
    text = "largest difference of scores: 1e-06 (at most 0.0001 allowed)"
    assert str(check) == text
    for difference in (2e-4, float("nan")):
        message = f"the model's scores within 0.0001; received {difference:g}"
        with pytest.raises(ValueError, match=message):
            Check("scores", ((1, 2),), difference, 1e-4)


def test_one_number_that_differs_is_enough(run):
    batches = check_batches(Run.open(run))
    numbers = [np.zeros(3), np.zeros((2, 2))]
    spoiled = [np.zeros(3), np.array([[0, 0], [0, -3e-4]])]

    def answers(found):
        pairs = zip(numbers, found)
        return lambda batch: next(pairs)

    check = compare("scores", 1e-4, batches, answers(numbers))
    assert check.largest_difference == 0
    assert check.shapes == tuple(b.inputs["source_ids"].shape for b in batches)
    with pytest.raises(ValueError, match="within 0.0001; received 0.0003"):
        compare("scores", 1e-4, batches, answers(spoiled))


def spoiled_kernel(model):
    kernel = model.decoder.blocks[0].feed_forward.expand.kernel
    kernel.assign(1.3 * ops.convert_to_numpy(kernel))


def nan_embedding(model):
    matrix = model.decoder.embedding.token_embedding.embeddings
    matrix.assign(np.nan * ops.convert_to_numpy(matrix))


def refused(format, run, out, **search):
    message = "the export must give the model's .* within .*; received "
    with pytest.raises(ValueError, match=message):
        getattr(export, format)(run, out, **search)
    assert contents(out.parent) == {}


@pytest.mark.parametrize(
    "format, spoil",
    [
        pytest.param("onnx", spoiled_kernel, marks=pytest.mark.slow),
        pytest.param("onnx", nan_embedding, marks=pytest.mark.slow),
        pytest.param("saved_model", spoiled_kernel, marks=pytest.mark.slow),
    ],
)
def test_a_mismatch_leaves_nothing(request, tmp_path, monkeypatch, format, spoil):
    """The model is not what the child process wrote (here: for another test)."""
    run = request.getfixturevalue("varied")
    made = {"onnx": "portable", "saved_model": "saved"}[format]
    made = request.getfixturevalue(made)
    module = importlib.import_module(f"keras_transformer.export.to_{format}")
    really = module.run_under_tensorflow

    def copied(*arguments, task):
        if arguments[0] != "-m":
            return really(*arguments, task=task)
        _, aside, *_ = task
        shutil.copytree(made, aside, dirs_exist_ok=True)
        for tokenizer in Path(aside).glob("tokenizer*"):
            tokenizer.unlink()

    model = Run.model

    def spoiled(self, dtype=None):
        found = model(self, dtype)
        spoil(found)
        return found

    monkeypatch.setattr(module, "run_under_tensorflow", copied)
    monkeypatch.setattr(Run, "model", spoiled)
    refused(
        format, run, tmp_path / "out", **(SEARCH if format == "saved_model" else {})
    )


def test_a_spoiled_ctranslate2_model_leaves_nothing(run, tmp_path, monkeypatch):
    """What is written is not the model."""

    def spoiled(spec, layer):
        spec.gamma = 1.01 * to_ctranslate2.array(layer.gamma)
        spec.beta = to_ctranslate2.array(layer.beta)

    monkeypatch.setattr(to_ctranslate2, "fill_norm", spoiled)
    refused("ctranslate2", run, tmp_path / "out")


def test_a_model_that_is_not_a_number_leaves_nothing(run, tmp_path, monkeypatch):
    model = Run.model

    def spoiled(self, dtype=None):
        found = model(self, dtype)
        nan_embedding(found)
        return found

    monkeypatch.setattr(Run, "model", spoiled)
    refused("ctranslate2", run, tmp_path / "out")


def test_nothing_is_replaced_unasked(run, out, tmp_path, capsys):
    before = contents(tmp_path)
    assert "export" in fails(capsys, "export", run, out, "--to", "ctranslate2")
    message = "exists already; pass --overwrite to replace it"
    with pytest.raises(ValueError, match=message):
        export.ctranslate2(run, out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    before = contents(tmp_path)
    message = "exists and is no export directory; it is left as it is"
    with pytest.raises(ValueError, match=message):
        export.ctranslate2(run, tmp_path / "mine", overwrite=True)
    for place in (run, run.parent, run / "data", run / "new"):
        with pytest.raises(ValueError, match="out must not be the run, hold it or"):
            export.ctranslate2(run, place, overwrite=True)
    assert contents(tmp_path) == before
    export.ctranslate2(run, out, overwrite=True, beam=2)
    assert json.loads((out / "config.json").read_text())["decoding"]["beam"] == 2


def test_a_run_does_not_take_the_place_of_an_export(out, capsys):
    assert "exists and is no run directory; it is left as it is" in fails(
        capsys, "demo", out, "--overwrite"
    )


def test_what_is_damaged_is_refused(out):
    """A bit, the end or the whole of each file; the card is its reader's to change."""
    draw = random.Random(0)
    (out / "README.md").write_text("My own.")
    whole = contents(out)
    del whole[out / "README.md"]
    for path, content in whole.items():
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        for damaged in (flipped, content[:-1], content[: len(content) // 2], b"", None):
            path.unlink()
            if damaged is not None:
                path.write_bytes(damaged)
            with pytest.raises(ValueError) as caught:
                CTranslate2Translator.load(out)
            assert str(out) in str(caught.value)
            assert len(str(caught.value).splitlines()) == 1
            path.write_bytes(content)
    assert len(whole) == 5 and CTranslate2Translator.load(out)


def test_a_config_that_says_too_much_is_refused(out):
    config = json.loads((out / "config.json").read_text())
    for change, message in (
        ({"format": "onnx"}, "its format must be 'ctranslate2'; received 'onnx'"),
        ({"decoding": {"beam": 0}}, "beam must be between 1 and 1000; received 0"),
        ({"decoding": 3}, "cannot be used: "),
        ({"positions": None}, "cannot be used: "),
    ):
        (out / "config.json").write_text(json.dumps({**config, **change}))
        sums = json.loads((out / "manifest.json").read_text())
        path = out / "config.json"
        sums["config.json"] = {"bytes": path.stat().st_size, "sha256": sha256(path)}
        (out / "manifest.json").write_text(json.dumps(sums))
        with pytest.raises(ValueError, match=message):
            CTranslate2Translator.load(out)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("export absent OUT --to onnx", "no run at 'absent'"),
        ("export RUN OUT --to tflite", "argument --to: invalid choice: 'tflite'"),
        ("export RUN OUT", "the following arguments are required: --to"),
        (
            "export RUN OUT --to onnx --beam 3",
            "--to onnx must have no search; received ['beam']",
        ),
        (
            "export RUN OUT --to onnx --quantization int8",
            "--to must be ctranslate2 or keras with --quantization; received 'onnx'",
        ),
        (
            "export RUN OUT --to ctranslate2 --penalty gnmt",
            "penalty must be 'power' with CTranslate2",
        ),
        (
            "export RUN OUT --to ctranslate2 --no-repeat-ngram 3",
            "--no-repeat-ngram must be 0 with CTranslate2, whose scores leave out",
        ),
        (
            "export RUN OUT --to ctranslate2 --search sampling",
            "search must be 'beam' or 'greedy' with CTranslate2",
        ),
        (
            "export RUN OUT --to saved_model --search sampling",
            "search must be 'beam' or 'greedy' with a SavedModel",
        ),
        (
            "export RUN OUT --to saved_model --beam 0",
            "beam must be between 1 and 1000; received 0",
        ),
        (
            "export RUN OUT --to saved_model --batch-size 1",
            "--batch-size must be absent with a SavedModel; received 1",
        ),
        (
            "translate --runtime ctranslate2 RUN hello",
            "RUN must be an export to CTranslate2 with --runtime ctranslate2",
        ),
        ("translate --runtime ctranslate2 absent hello", "no export at 'absent'"),
        (
            "translate --runtime onnx RUN hello",
            "argument --runtime: invalid choice: 'onnx'",
        ),
    ],
)
def test_bad_input(run, tmp_path, capsys, arguments, message):
    words = [
        {"RUN": run, "OUT": tmp_path / "out"}.get(word, word)
        for word in arguments.split()
    ]
    assert message in fails(capsys, *words)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    "format, module, extra",
    [
        ("ctranslate2", "ctranslate2", "ctranslate2"),
        ("saved_model", "tensorflow_text", "tensorflow"),
        ("saved_model", "tensorflow_serving", "serve"),
        ("onnx", "tf2onnx", "serve"),
        ("onnx", "onnxruntime", "serve"),
    ],
)
def test_what_is_not_installed(run, tmp_path, monkeypatch, format, module, extra):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else find(name)
    )
    message = rf"{module} is not installed: pip install .*\[{extra}\]"
    with pytest.raises(ImportError, match=message):
        getattr(export, format)(run, tmp_path / "out")
    assert contents(tmp_path) == {}


def test_an_export_is_no_run(out, tmp_path, capsys):
    words = ["export", out, tmp_path / "new", "--to", "onnx"]
    assert "is an export of one" in fails(capsys, *words)


@pytest.mark.slow
def test_a_killed_export_leaves_no_process_and_the_next_one_clears_up(run, tmp_path):
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "keras_transformer",
        "export",
        str(run),
        str(out),
        "--to",
        "onnx",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as parent:
        while not (children := children_of(parent.pid)):
            assert parent.poll() is None, parent.stderr.read()
            time.sleep(0.05)
        parent.kill()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".keras-transformer-")
    assert left.name.endswith(".partial")
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{child}/task").exists() for child in children):
        assert time.monotonic() < deadline, "the child goes on"
        time.sleep(0.1)
    export.ctranslate2(run, out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def children_of(process):
    """The numbers of the writers that a process has started; libraries start others."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if (
                parent == process
                and "onnx_writer" in (path.parent / "cmdline").read_text()
            ):
                found.append(int(path.parent.name))
    return found


def test_a_child_that_fails_says_why(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").write_text(
        "#!/bin/sh\n"
        "echo 'builtins.MemoryError: too much' >&2\n"
        "echo at last >&2\n"
        "exit 1\n"
    )
    (tmp_path / "python").chmod(0o755)
    message = "TensorFlow failed: builtins.MemoryError: too much"
    with pytest.raises(ValueError, match=message):
        export.onnx(run, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"python"}
