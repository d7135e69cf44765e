"""Whole runs as several processes.

The tests show what is written once, and what a killed process leaves.
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
from layer_checks import ON_TORCH, marked

from keras_transformer.cli.main import main
from keras_transformer.runs.sealed_files import load_arrays

TRAINING = (
    "--epochs 2 --warmup-updates 50 --monitor bleu --dropout 0 "
    "--checkpoint-minutes 0 --patience 1 --ema-momentum 0.5"
).split()
HOW = ["data", "model"] if BACKEND == "jax" else ["data"]
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
    assert main(["train", str(run), *flags, "--distribute", "none"]) == 0
    return run


def logs(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [
        [
            value
            for name, value in sorted(line.items())
            if name != "seconds" and not name.endswith("signature")
        ]
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


@pytest.mark.slow
def test_a_process_reads_its_own_share_of_the_data(alone):
    program = [Path(__file__).parent / "reading.py", alone / "data" / "train"]
    written = [*finish(start(program)), *finish(start(program, processes=2))]
    whole, *shares = [json.loads(text.splitlines()[-1]) for text in written]
    assert sorted(whole["pairs"]) == [*range(len(whole["pairs"]))]
    assert sorted(shares[0]["pairs"] + shares[1]["pairs"]) == sorted(whole["pairs"])
    assert shares[0]["bytes"] + shares[1]["bytes"] == whole["bytes"]
    for share in shares:
        assert share["bytes"] == pytest.approx(whole["bytes"] / 2, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_process_ends_the_other_and_all_go_on(number, flags, alone, tmp_path):
    run = tmp_path / "run"
    command = ["-m", "keras_transformer", "train", tmp_path / "run", *flags]
    started = start(command, processes=2)
    killed = started[number]
    left = started[1 - number]
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


@pytest.mark.slow
@pytest.mark.parametrize("how", HOW)
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
