"""Bad input: exit status 2, one line that says what is wrong, and no file changed."""

import dataclasses
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small import DATA, FLAGS, MODEL, clean, contents, training, write_corpus

from keras_transformer.cli import main as cli
from keras_transformer.cli.startup import BACKENDS
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.runs.sealed_files import seal
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.prepare import prepare

TRAIN = ("train", "new", "--source", "train.en", "--target", "train.de", *FLAGS)


KILLED = """
import os, sys
from keras_transformer.cli.main import main
from keras_transformer.data.store import TokenStore
TokenStore.build = lambda *arguments, **options: os._exit(9)
main(sys.argv[1:])
"""
TOML = {
    "syntax": "model = [",
    "key": "sorce = 'a'",
    "setting": "[model]\nhead = 2",
    "type": "[model]\nnum_heads = 'two'",
    "vocabulary": "[model]\nsource_vocab_size = 9",
    "table": "model = 3",
    "path": "source = 3",
    "preset": "preset = 'huge'\nsource = 'train.en'\ntarget = 'train.de'",
}


def train_with(*flags):
    """The command `TRAIN` with other flags, which take the place of its own."""
    kept = [*TRAIN]
    if flags[0] in TRAIN:
        place = kept.index(flags[0])
        del kept[place : place + 2]
    return [*kept, *flags]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corpus, bad files, a run of an untrained model, and runs broken in one way."""
    folder = tmp_path_factory.mktemp("bad")
    source, target, *_ = write_corpus(folder, train=60)
    lines = target.read_bytes().split(b"\n")
    (folder / "short.de").write_bytes(b"\n".join(lines[:50]))
    lines[6] = "ein Mädchen".encode("latin-1")
    (folder / "latin.de").write_bytes(b"\n".join(lines))
    (folder / "empty.en").touch()
    (folder / "train.parquet").touch()
    (folder / "blank.en").write_text("\n" * 60)
    (folder / "three.tsv").write_text("a\tb\nc\td\te\n")
    for name, text in TOML.items():
        (folder / f"{name}.toml").write_text(text)
    run = folder / "run"
    run.mkdir()
    config = RunConfig(MODEL, DATA, training())
    made = prepare(run, clean((source, target)), None, config)
    made.save_model(Transformer(made.config.model))
    for name in ("no-model", "other-tokenizer", "other-model", "broken-model"):
        shutil.copytree(run, folder / name)
    (folder / "no-model" / "model.keras").unlink()
    other = folder / "other-tokenizer"
    tokenizer = Tokenizer.train(source.read_text().splitlines(), 60)
    tokenizer.save(other / "tokenizer.model")
    seal(other)
    model = dataclasses.replace(made.config.model, num_heads=4)
    Run.open(folder / "other-model").save_model(Transformer(model))
    (folder / "broken-model" / "model.keras").write_bytes(b"no zip file")
    (folder / "photos").mkdir()
    (folder / "photos" / "me.png").touch()
    return folder


def fails(folder, arguments, capsys):
    """Run a command that must fail and change nothing; its error."""
    before = contents(folder)
    assert cli.main(list(arguments)) == 2
    err = capsys.readouterr().err
    assert err.startswith("keras-transformer: error: ") and err.count("\n") == 1, err
    assert contents(folder) == before
    return err.removeprefix("keras-transformer: ")


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            "--target short.de",
            "train.en and short.de must have as many lines; received [60, 50]",
        ),
        ("--source empty.en", "empty.en must contain sentences; received 0"),
        (
            "--source blank.en",
            "at least one that passes the filters; "
            "received 'kept 0 of 60 pairs; dropped 60: 60 empty",
        ),
        ("--target latin.de", "latin.de must be UTF-8; line 7 is not"),
        (
            "--source absent.en",
            "absent.en must be a readable text file; "
            "received No such file or directory",
        ),
        ("--source three.tsv", "target must be absent when source is a .tsv file"),
        (
            "--valid-source valid.en --valid-target short.de",
            "valid.en and short.de must have as many lines; received [8, 50]",
        ),
        (
            "--valid-source valid.en",
            "target must be given unless source is a .tsv file or another that holds ",
        ),
        ("--valid-target valid.de", "--valid-target must be absent without --valid-"),
        ("--vocab-size 100000", " for these lines; received 100000"),
        (
            "--preset huge",
            "argument --preset: invalid choice: 'huge' "
            "(choose from 'tiny', 'small', 'base', 'big')",
        ),
        (
            "--layers 3",
            "unrecognized arguments: --layers 3 (see keras-transformer --help)",
        ),
        (
            "--num-heads two",
            "argument --num-heads: invalid int value: 'two' "
            "(see keras-transformer train --help)",
        ),
        ("--num-heads 3", "--d-model must be a multiple of --num-heads 3; received 16"),
        ("--dropout 1.5", "dropout must be between 0.0 and 0.99; received 1.5"),
        (
            "--positions learned --max-positions 9",
            "--max-length must be at most --max-positions 9 with --positions learned",
        ),
        (
            "--monitor bleu",
            "--valid-size must be at least 1, or --valid-source be given, with --moni",
        ),
        (
            "--config absent.toml",
            "config 'absent.toml' must be a readable TOML file",
        ),
        ("--config syntax.toml", "config 'syntax.toml' is not valid TOML"),
        (
            "--config key.toml",
            "config 'key.toml' must have settings of source, target, ",
        ),
        (
            "--config setting.toml",
            "[model] must have settings of d_model, d_ff, num_heads, key_dim, ",
        ),
        ("--config vocabulary.toml", "only; received ['source_vocab_size']"),
        (
            "--config table.toml",
            "config 'table.toml': model must be a table; received 3",
        ),
        (
            "--config path.toml",
            "config 'path.toml': source must be a string; received 3",
        ),
    ],
)
def test_train(folder, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(folder)
    assert message in fails(folder, train_with(*flags.split()), capsys)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            "train run --source train.en --target train.de",
            "run 'run' exists already; pass --overwrite to replace it",
        ),
        ("demo run", "run 'run' exists already; pass --overwrite to replace it"),
        (
            "demo photos --overwrite",
            "run 'photos' exists and is no run directory; it is left as it is",
        ),
        (
            "train run --overwrite --source train.en --target short.de",
            "train.en and short.de must have as many lines; received [60, 50]",
        ),
        (
            "train new/er/run --source train.en --target short.de",
            "train.en and short.de must have as many lines; received [60, 50]",
        ),
        (
            "train train.en/run --source train.en --target train.de",
            "train.en' is no directory",
        ),
        (
            "train new --source three.tsv",
            "three.tsv, line 2, must have two columns; received 3",
        ),
        ("train new", "--source is needed"),
        (
            "train new --config type.toml --source train.en --target train.de",
            "error: num_heads must be int; received 'two'",
        ),
        (
            "train new --config preset.toml",
            "preset must be one of tiny, small, base, big; received 'huge'",
        ),
        (
            "train new --resume --overwrite",
            "--overwrite must be absent with --resume; received True",
        ),
        (
            "train new --text train.en --init-from run",
            "run 'run' must hold a language model; received 'Transformer'",
        ),
        (
            "translate run A --prefix 漢字",
            "--prefix must be spelled by the vocabulary of the target; received",
        ),
        ("translate absent A", "error: no run at 'absent'"),
        ("translate photos A", "'photos/config.json' is missing"),
        (
            "translate no-model A",
            "run 'no-model' holds no model: model.keras is missing",
        ),
        (
            "translate other-tokenizer A",
            "source_tokenizer must have the model's 200 tokens; received 60",
        ),
        (
            "translate other-model A",
            "'other-model/model.keras' cannot be read as the model "
            "that config.json describes: its config",
        ),
        (
            "translate broken-model A",
            "'broken-model/model.keras' cannot be read as the model "
            "that config.json describes: ",
        ),
        (
            "translate run --bulk",
            "--input and --output must be given with --bulk; received (None, None)",
        ),
        (
            "translate run A --bulk --input train.en --output out.de",
            "TEXT must be absent with --bulk; received ['A']",
        ),
        (
            "translate run --bulk --input train.en --output out.parquet",
            "--input and --output must be .parquet files with --column, and no such "
            "files without; received ('train.en', 'out.parquet')",
        ),
        (
            "translate run --bulk --input train.parquet --output b.parquet --column a "
            "--n-best 2",
            "--n-best, --alignments and --token-scores must be absent with --column; "
            "received (2, False, False)",
        ),
        (
            "translate run --bulk --workers 0 --input train.en --output out.de",
            "--workers must be at least 1; received 0",
        ),
        (
            "translate run --bulk --input absent.en --output out.de",
            "--input must be a file; received 'absent.en'",
        ),
        *(
            (
                f"translate run --bulk --input train.en --output o --address {address}",
                "--address must be auto, or the HOST:PORT where a Ray cluster "
                f"answers; received '{address}'",
            )
            for address in ("nonsense", "ray://127.0.0.1:1", "127.0.0.1:1")
        ),
        *(
            (
                f"translate run A --{name} 2",
                f"--{name} must be absent without --bulk; received",
            )
            for name in ("workers", "address")
        ),
        (
            "translate run A --input train.en",
            "TEXT must be absent with --input; received ['A']",
        ),
        ("translate run --input absent.en", "absent.en must be a readable text file"),
        (
            "translate run --input latin.de --output out.de",
            "latin.de must be UTF-8; line 7 is not",
        ),
        (
            "translate run A --output photos",
            "a file in an existing directory; received 'photos'",
        ),
        (
            "translate run A --output absent/out.de",
            "a file in an existing directory; received 'absent/out.de'",
        ),
        (
            "translate run A --beam 2 --n-best 3",
            "--n-best must be at most 2 with --search beam; received 3",
        ),
        ("translate run A --bean 2", "unrecognized arguments: --bean 2"),
        (
            "evaluate run --source train.en --target short.de",
            "train.en and short.de must have as many lines; received [60, 50]",
        ),
        ("evaluate run", "--source must be given, unless one run alone held out pairs"),
        (
            "translate run --input train.en --output train.en",
            "--output must not be a file that is read; received 'train.en'",
        ),
        (
            "score run --source train.en --target train.de --output train.de",
            "--output must not be a file that is read; received 'train.de'",
        ),
        (
            "clean absent.tsv out.tsv",
            "INPUT must be a file or a folder that exists; received 'absent.tsv'",
        ),
        (
            "train new --source train.en --target train.de --learning-rate-scale nan",
            "--learning-rate-scale must be finite; received nan",
        ),
        ("serve run", "invalid choice: 'serve'"),
        ("", "the following arguments are required: COMMAND (see"),
        (
            "train --source train.en --target train.de run2",
            "the following arguments are required: RUN; write them before the flags",
        ),
        (
            "clean train.en train.de short.de out.tsv --from en --to de",
            "short.de must have a file of the other language beside it; received None",
        ),
    ],
)
def test_other_commands(folder, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(folder)
    assert message in fails(folder, arguments.split(), capsys)


def test_a_pipe_is_refused_before_any_work(folder, tmp_path, monkeypatch, capsys):
    """Whichever file it is: no tokenizer is learned before."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(Tokenizer, "train", None)
    os.mkfifo(tmp_path / "pipe")
    for flag in ("--source", "--target", "--valid-source", "--valid-target"):
        files = ["--valid-source", "valid.en", "--valid-target", "valid.de"]
        command = train_with(*files)
        command[command.index(flag) + 1] = str(tmp_path / "pipe")
        assert "pipe must be a regular file, no pipe" in fails(folder, command, capsys)


def test_a_vocabulary_too_large_names_the_largest(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    error = fails(folder, [*TRAIN, "--vocab-size", "100000"], capsys)
    found = re.search(r"--vocab-size must be at most (\d+) for these lines", error)
    largest = int(found[1])
    files = ("train.en", "train.de")
    lines = "".join((folder / name).read_text() for name in files).splitlines()
    assert Tokenizer.train(lines, largest).vocab_size == largest


def test_no_backend(folder, monkeypatch, capsys):
    command = ["translate", "run", "A"]
    find = importlib.util.find_spec
    monkeypatch.setenv("KERAS_HOME", str(folder))
    monkeypatch.setenv("KERAS_BACKEND", "mxnet")
    expected = "KERAS_BACKEND must be one of tensorflow, jax, torch; received 'mxnet'\n"
    assert fails(folder, command, capsys) == f"error: {expected}"
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name: None if name in BACKENDS else find(name),
    )
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    expected = """jax is not installed: pip install -e ".[jax]" in the clone\n"""
    assert fails(folder, command, capsys) == f"error: {expected}"
    monkeypatch.delenv("KERAS_BACKEND")
    expected = (
        """no backend is installed: pip install -e ".[tensorflow]" in the clone\n"""
    )
    assert fails(folder, command, capsys) == f"error: {expected}"


def test_not_a_number(folder, tmp_path, monkeypatch, capsys, one_bucket):
    monkeypatch.chdir(folder)
    command = ["train", str(tmp_path / "new"), *TRAIN[2:]]
    assert cli.main([*command, "--learning-rate-scale", "1e30"]) == 2
    *warnings, error = capsys.readouterr().err.splitlines()
    assert "keras-transformer: warning: 60 pairs are few" in "".join(warnings)
    assert error.startswith("keras-transformer: error: loss is nan at update ")


def test_a_killed_command_leaves_a_hidden_directory_only(folder, tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("config.json", "manifest.json"):
        (tmp_path / "run" / name).write_text("{}")
    command = ["train", str(tmp_path / "run"), *TRAIN[2:], "--overwrite"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
    )
    assert done.returncode == 9
    first, second = sorted(path.name for path in tmp_path.iterdir())
    assert first.startswith(".keras-transformer-") and first.endswith(".partial")
    assert second == "run"
    assert (tmp_path / "run" / "config.json").read_text() == "{}"
