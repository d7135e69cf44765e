"""Whole runs as several processes.

The tests show what is written once, what a killed process leaves, and how the processes
share the translation of a file.
"""

import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import small
from distribution.launching import BACKEND, finish, start
from export.making import make_run, sentences
from layer_checks import NOT_ON_JAX, ON_TORCH, marked

from keras_transformer.cli.main import main
from keras_transformer.runs.sealed_files import load_arrays

TRAINING = (
    "--epochs 2 --warmup-updates 50 --monitor bleu --dropout 0 "
    "--checkpoint-minutes 0 --patience 1"
).split()
SEARCH = "--beam 2 --n-best 2 --extra-length 2".split()
# The second is JAX's.
ENDED = "stops because another one ended; --resume continues|another task died"


@pytest.fixture(scope="module")
def flags(tmp_path_factory):
    source, target, *valid = small.write_corpus(
        tmp_path_factory.mktemp("corpus"), train=200, valid=24
    )
    files = [
        "--source",
        source,
        "--target",
        target,
        "--valid-source",
        valid[0],
        "--valid-target",
        valid[1],
    ]
    return [*map(str, files), *small.FLAGS, *TRAINING]


@pytest.fixture(scope="module")
def alone(flags, tmp_path_factory):
    """A run of one process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    finish(
        start(["-m", "keras_transformer", "train", run, *flags, "--distribute", "none"])
    )
    return run


def logs(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [
        [value for name, value in sorted(line.items()) if name != "seconds"]
        for line in lines
    ]


def last_weights(run):
    (path,) = (run / "checkpoints").glob("epoch-0002.*")
    return load_arrays(path)[0]["model"]


def same(run, other):
    np.testing.assert_allclose(logs(run), logs(other), rtol=1e-4, atol=1e-4)
    for one, another in zip(last_weights(run), last_weights(other), strict=True):
        np.testing.assert_allclose(one, another, atol=1e-4)


@marked(ON_TORCH)
def test_two_processes_leave_the_run_of_one(flags, alone, tmp_path):
    first, second = finish(
        start(
            ["-m", "keras_transformer", "train", tmp_path / "run", *flags], processes=2
        )
    )
    same(tmp_path / "run", alone)
    names = [
        sorted(re.sub(r"\.\w{16}\.", ".", path.name) for path in run.rglob("*"))
        for run in (tmp_path / "run", alone)
    ]
    assert names[0] == names[1]
    assert "The run is in" in first and "The run is in" not in second
    assert "BLEU" in first and "BLEU" not in second


@marked(ON_TORCH)
@pytest.mark.parametrize("number", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_killed_process_ends_the_other_and_all_go_on(number, flags, alone, tmp_path):
    run, command = (
        tmp_path / "run",
        ["-m", "keras_transformer", "train", tmp_path / "run", *flags],
    )
    started = start(command, processes=2)
    killed, left = started[number], started[1 - number]
    deadline = time.monotonic() + 200
    while len([*run.glob("checkpoints/batch-*")]) < 2:
        assert left.poll() is None and time.monotonic() < deadline, left.stdout.read()
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    since = time.monotonic()
    text, _ = left.communicate(timeout=90)
    assert left.returncode not in (0, None) and time.monotonic() - since < 60
    assert re.search(ENDED, text), text
    killed.communicate()
    finish(start([*command, "--resume"], processes=2))
    same(run, alone)


@pytest.mark.parametrize(
    "how",
    [pytest.param("data", marks=NOT_ON_JAX), *(["model"] if BACKEND == "jax" else [])],
)
@pytest.mark.skipif(BACKEND == "torch", reason="torch has one device a process")
def test_devices_of_one_host_leave_the_run_of_one_and_one_goes_on(
    how, flags, alone, tmp_path
):
    run = tmp_path / "run"
    begun = ["train", run, *flags, "--distribute", how, "--max-updates", "10"]
    if BACKEND == "jax":
        more = ["--model-devices", "2"] if how == "model" else []
        finish(start(["-m", "keras_transformer", *begun, *more], devices=4))
    else:
        finish(start([Path(__file__).parent / "on_logical_devices.py", *begun]))
    rest = [*flags, "--max-updates", "1000", "--resume", "--distribute", "none"]
    finish(start(["-m", "keras_transformer", "train", run, *rest]))
    same(run, alone)


def same_lines(path, other):
    """Two files of n-best lists hold as many lines, and the same best ones.

    Scores depend a little on the other sentences of a batch, and so does what is second
    best.
    """
    found, expected = (
        [line.split("\t") for line in file.read_text().splitlines()]
        for file in (path, other)
    )
    assert [number for number, *_ in found] == [number for number, *_ in expected]
    for (number, score, text), (_, other_score, other_text) in zip(found, expected):
        if number == "1":
            assert text == other_text
            assert float(score) == pytest.approx(float(other_score), abs=1e-3)


def test_a_file_is_translated_in_shares_and_a_lost_one_done_again(tmp_path, capsys):
    # Trained until every choice is clear, so that no rounding changes a word.
    run = make_run(tmp_path / "run", epochs=7, encoder_layers=1)
    source = tmp_path / "source"
    source.write_text("".join(line + "\n" for line in sentences(24, seed=1)))
    whole, shared = tmp_path / "whole", tmp_path / "shared"
    command = ["-m", "keras_transformer", "translate", run]
    command += ["--input", source, *SEARCH, "--output"]
    before = {*tmp_path.iterdir()}
    assert main([str(word) for word in [*command[2:], whole]]) == 0
    finish(start([*command, shared], processes=2))
    same_lines(shared, whole)
    assert {*tmp_path.iterdir()} - before == {shared, whole}
    redone = [str(word) for word in [*command[2:], tmp_path / "redone"]]
    assert main([*redone, "--shard", "1/3"]) == 0 == main([*redone, "--shard", "0/3"])
    assert "--shard 2/3 is still to be done" in capsys.readouterr().err
    assert (
        not (tmp_path / "redone").exists()
        and len([*tmp_path.glob("redone.*.part")]) == 2
    )
    assert main([*redone, "--shard", "2/3"]) == 0
    same_lines(tmp_path / "redone", whole)
