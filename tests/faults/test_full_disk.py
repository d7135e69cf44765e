"""Disks that are full or may not be written to: one clear error, nothing lost."""

import contextlib
import dataclasses
import os
import subprocess
import tempfile

import pytest
from layer_checks import ON_TORCH
from small import DATA, FLAGS, MODEL, clean, contents, training

from keras_transformer import Translator, export
from keras_transformer.cli import main as cli
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.training.prepare import prepare

pytestmark = ON_TORCH
KIB = 1024


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True)
    return done.returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A disk of four MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    with contextlib.suppress(OSError):
        if mount("-t", "tmpfs", "-o", f"size={4 * KIB}k", "none", place):
            yield place
            subprocess.run(["umount", "-l", place], check=True)
            return
    pytest.skip("this user may not mount a disk")


def fill(disk, left):
    """Leave so many bytes on a disk."""
    (disk / "filler").unlink(missing_ok=True)
    found = os.statvfs(disk)
    size = found.f_bavail * found.f_frsize - left
    (disk / "filler").write_bytes(bytes(size))


@pytest.fixture(scope="module")
def fitting(corpus, tmp_path_factory):
    """A run of an untrained model that every format has."""
    folder = tmp_path_factory.mktemp("fitting") / "run"
    folder.mkdir()
    marian = dict(layer_norm_epsilon=1e-5, positions="sinusoidal_halves")
    model = dataclasses.replace(MODEL, **marian)
    config = RunConfig(model, DATA, training())
    run = prepare(folder, clean(corpus), None, config)
    run.save_model(Transformer(run.config.model))
    return folder


@pytest.fixture
def fails(capsys):
    def fails(*arguments):
        capsys.readouterr()
        assert cli.main([str(argument) for argument in arguments]) == 2
        lines = capsys.readouterr().err.splitlines()
        (line,) = [line for line in lines if "error: " in line]
        return line.removeprefix("keras-transformer: error: ")

    return fails


def no_space(path):
    return f"[Errno 28] No space left on device: '{path}'"


def test_a_translation(disk, trained, tmp_path, fails):
    (tmp_path / "lines").write_text("a man\n" * 40)
    (disk / "out.txt").write_text("old")
    command = ["translate", trained, "--input", tmp_path / "lines"]
    command += ["--search", "greedy", "--extra-length", "50"]
    command += ["--output", disk / "out.txt"]
    fill(disk, left=0)
    before = contents(disk)
    assert fails(*command) == no_space(disk / "out.txt")
    assert contents(disk) == before


@pytest.mark.parametrize("left", [0, 16 * KIB])
@pytest.mark.parametrize("to", ["ctranslate2", "huggingface"])
def test_an_export(disk, fitting, fails, to, left):
    fill(disk, left)
    line = fails("export", fitting, disk / "out", "--to", to)
    named = f"'{disk / 'out'}' cannot be written: Error while serializing: "
    assert line == no_space(disk / "out") or line.startswith(named)
    assert "No space left" in line and list(contents(disk)) == [disk / "filler"]


def test_an_import(disk, fitting, tmp_path, fails):
    export.huggingface(fitting, tmp_path / "checkpoint")
    fill(disk, left=64 * KIB)
    line = fails("import", tmp_path / "checkpoint", disk / "run")
    assert line == no_space(disk / "run")
    assert list(contents(disk)) == [disk / "filler"]


def test_a_training(disk, corpus, fails, one_bucket):
    """What was begun stays, with the last good checkpoint, and goes on."""
    run = disk / "run"
    files = [f"--source={corpus[0]}", f"--target={corpus[1]}"]
    command = ["train", run, *files, *FLAGS, "--checkpoint-minutes=0", "--epochs=2"]
    fill(disk, left=4 * KIB)
    assert fails(*command) == no_space(run)
    assert list(contents(disk)) == [disk / "filler"]
    # A tokenizer is half a MiB.
    fill(disk, left=800 * KIB)
    line = fails(*command, "--keep-last=99")
    assert f"'{run}/checkpoints/batch-" in line and "No space left" in line
    found = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert found and all(name.startswith("batch-") for name in found)
    (disk / "filler").unlink()
    assert mount("-o", f"remount,size={16 * KIB}k", disk)
    words = [str(word) for word in command]
    assert cli.main([*words, "--resume"]) == 0
    assert [row["epoch"] for row in Run.open(run).log] == [1, 2]


def test_temporary_files(disk, trained, tmp_path, monkeypatch, fails):
    """The model is not to blame."""
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    fill(disk, left=0)
    for command in (
        ["translate", trained, "a man"],
        ["export", trained, tmp_path / "x"],
    ):
        if command[0] == "export":
            command += ["--to", "ctranslate2"]
        assert no_space(disk).removesuffix("'") in fails(*command)
    assert list(contents(disk)) == [disk / "filler"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk"]
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(disk)])
    assert "No usable temporary directory" in fails("translate", trained, "a man")


def test_what_may_not_be_written_to(disk, trained, corpus, fitting, fails):
    """It can be read; commands that write there say so, and change nothing."""
    with contextlib.chdir(disk):
        subprocess.run(["cp", "-r", fitting, "fitting"], check=True)
        subprocess.run(["cp", "-r", trained, "trained"], check=True)
    assert mount("-o", "remount,ro", disk)
    before = contents(disk)
    assert Translator.load(disk / "trained")(["a man"])
    refused = f"[Errno 30] Read-only file system: '{disk}"
    files = [f"--source={corpus[0]}", f"--target={corpus[1]}"]
    for command in (
        ["translate", disk / "trained", "a man", "--output", disk / "out"],
        ["export", disk / "fitting", disk / "out", "--to", "ctranslate2"],
        ["export", fitting, disk / "deep" / "out", "--to", "ctranslate2"],
        ["train", disk / "out", *files, *FLAGS],
        ["train", disk / "trained", *files, *FLAGS, "--overwrite"],
        ["train", disk / "trained", "--resume", "--epochs", "9"],
    ):
        assert fails(*command).startswith(refused)
    assert contents(disk) == before
