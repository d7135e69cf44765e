"""Two processes at one name: one wins, and nothing of the winner's changes."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from killing import command, finish, start, write_digits
from layer_checks import ON_TORCH
from small import DATA, MODEL, clean, training

from keras_transformer import export
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.training.prepare import prepare

pytestmark = ON_TORCH
TESTS = Path(__file__).parent.parent
USUAL = (
    "keras-transformer: error: (run|export) '.*out' exists already; pass --overwrite "
    "to replace it"
)


@pytest.fixture(scope="module")
def marian(corpus, tmp_path_factory):
    """A run of an untrained model that every format has, and an export of it."""
    folder = tmp_path_factory.mktemp("marian")
    (folder / "run").mkdir()
    options = dict(layer_norm_epsilon=1e-5, positions="sinusoidal_halves")
    model = dataclasses.replace(MODEL, **options)
    config = RunConfig(model, DATA, training())
    run = prepare(folder / "run", clean(corpus), None, config)
    run.save_model(Transformer(run.config.model))
    export.huggingface(folder / "run", folder / "checkpoint")
    return folder


@pytest.mark.parametrize(
    "step, count", [(7, 4), pytest.param(1, 28, marks=pytest.mark.slow)]
)
def test_pairs_of_commands(marian, corpus, tmp_path, step, count):
    paths = [marian / "run", marian / "checkpoint", corpus[0].parent, tmp_path / "out"]
    program = Path(__file__).with_name("racing.py")
    search = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    done = subprocess.run(
        [sys.executable, program, *paths, str(step)],
        env={**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pairs = json.loads(done.stdout)
    assert len(pairs) == count
    for pair, found in pairs.items():
        winner, loser = found["answers"]
        assert [winner[0], loser[0]] == [0, 2], (pair, found)
        assert re.fullmatch(USUAL, loser[1].splitlines()[-1]), (pair, found)
        assert winner[2] == loser[2] == found["manifest"], pair
        assert found["names"] == ["out"], pair


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--resume", "--overwrite"])
def test_two_trainings(tmp_path, flag):
    """Real commands, of which one trains to the end."""
    folder = write_digits(tmp_path)
    run = tmp_path / "run"
    if flag == "--overwrite":
        finish(command(folder, run, "--max-updates", "1"))
    words = command(folder, run, flag)
    processes = [start(words), start(words)]
    found = {}
    for process in processes:
        output, _ = process.communicate(timeout=600)
        found[process.returncode] = output.splitlines()[-1]
    assert sorted(found) == [0, 2], found
    refused = "is being trained or replaced by another process|exists already; pass"
    assert re.search(refused, found[2])
    assert [row["epoch"] for row in Run.open(run).log] == [1, 2, 3]
    assert not list(tmp_path.glob(".*"))
