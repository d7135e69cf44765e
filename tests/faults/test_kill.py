"""Real training processes, killed at random moments.

A resumed run ends bit for bit like one that was never killed.
"""

import json
import random
import re
import signal

import keras
import pytest
from killing import (
    VARIANTS,
    assert_same_run,
    command,
    finish,
    kill_until_done,
    max_batch,
    start,
    write_digits,
)
from layer_checks import ON_TORCH, marked


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"))


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """A run that was never interrupted."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    finish(command(folder, run))
    return run


def test_a_killed_run_ends_as_if_it_had_not_been(folder, whole, tmp_path):
    arguments = command(folder, tmp_path / "killed")
    assert kill_until_done(
        arguments, tmp_path / "killed", random.Random(3), kills=1, longest=0.1, early=0
    )
    assert_same_run(whole, tmp_path / "killed")


@pytest.mark.slow
def test_a_run_goes_on_with_another_backend(folder, tmp_path):
    begun = keras.backend.backend()
    other = "tensorflow" if begun == "torch" else "torch"
    run = tmp_path / "run"
    finish([*command(folder, run), "--max-updates", "5"])
    output = finish(
        ["train", str(run), "--resume", "--max-updates", "1000"], backend=other
    )
    assert (
        f"This run was on {begun} so far: from here on it is not bit for bit what it "
        "would be there." in output
    )
    epochs = [
        json.loads(line)["epoch"]
        for line in (run / "log.jsonl").read_text().splitlines()
    ]
    assert epochs == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_many_kills(folder, whole, tmp_path, variant):
    flags = [flag.format(begin=whole) for flag in VARIANTS[variant]]
    finish(command(folder, tmp_path / "whole", *flags))
    met = 0
    for attempt in range(4):
        run = tmp_path / f"killed{attempt}"
        draw = random.Random(f"{variant} {attempt} {keras.backend.backend()}")
        met += kill_until_done(command(folder, run, *flags), run, draw, kills=2)
        assert_same_run(tmp_path / "whole", run)
        if met >= 2:
            break
    print(f"{variant}: {met} kills")
    assert met >= 2


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_a_signal_leaves_after_one_more_checkpoint(folder, tmp_path, number):
    run = tmp_path / "run"
    process = start(
        [*command(folder, run, "--epochs", "500"), "--checkpoint-minutes", "1000"]
    )
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("epoch 3/"):
            break
    process.send_signal(number)
    output = "".join([*lines, process.communicate(timeout=120)[0]])
    assert process.returncode == 128 + number, output
    assert f"{number.name}: leaving after one more checkpoint" in output
    last = output.splitlines()[-1]
    found = re.fullmatch(
        r"keras-transformer: interrupted after (\d+) batches; --resume continues from "
        "there",
        last,
    )
    assert found and max_batch(run).startswith(f"batch-{int(found[1]):08d}."), last
    assert not list(run.rglob("*.partial*"))


# In the child: the third checkpoint stops in the middle, as `how` says.
MIDDLE = """
import os, resource, signal, sys
from keras_transformer.cli import main as cli
from keras_transformer.runs import sealed_files as files
whole, count = files.save_file, []

def save_file(arrays, path, metadata):
    count.append("batch-" in str(path))
    if sum(count) == 3:
        {how}
    whole(arrays, path, metadata)

files.save_file = save_file
sys.exit(cli.main(sys.argv[1:]))
"""
KILLED = """whole(arrays, path, metadata)
        os.truncate(path, 1000)
        os.kill(os.getpid(), signal.SIGKILL)"""
# Bytes a file may have from here on.
FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))"


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "how, status",
    [
        pytest.param(KILLED, -signal.SIGKILL, marks=pytest.mark.slow),
        (FULL, 2),
    ],
)
def test_a_checkpoint_that_is_not_finished(folder, whole, tmp_path, how, status):
    program = tmp_path / "program.py"
    program.write_text(MIDDLE.format(how=how))
    run = tmp_path / "run"
    process = start(command(folder, run), program=[str(program)])
    output, _ = process.communicate(timeout=300)
    assert process.returncode == status, output
    if status == 2:
        last = output.splitlines()[-1]
        assert (
            last.startswith("keras-transformer: error: ") and "File too large" in last
        ), output
        assert not list(run.rglob("*.partial*"))
    assert len(list((run / "checkpoints").glob("batch-*"))) == 2
    finish([*command(folder, run), "--resume"])
    assert not list(run.rglob("*.partial*"))
    assert_same_run(whole, run)
