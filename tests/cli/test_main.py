"""Errors in one line, exit statuses, and the command as its users start it."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from keras_transformer.cli import main as cli

ROOT = Path(__file__).parents[2]


def test_as_a_module_in_a_pipe(run):
    flags = ["--n-best", "2", "--beam", "2", "--extra-length", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "keras_transformer", "translate", run, *flags],
        input="A man sits.\nZwei Hunde.\n",
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        encoding="utf-8",
    )
    # What it is doing is said every few seconds, and nothing else.
    others = re.sub(r"(?m)^(starting|opening|translating)\b.*: .*\n", "", done.stderr)
    assert done.returncode == 0 and not others, others
    numbers = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert numbers == ["1", "1", "2", "2"]


def test_the_module_gives_the_exit_status(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["keras_transformer", "serve"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("keras_transformer", run_name="__main__")
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("keras-transformer: error: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    "error, status, said",
    [
        (RuntimeError("out of memory\nat"), 2, "error: RuntimeError: out of memory"),
        (AssertionError(), 2, "error: AssertionError"),
        (ValueError("no\nnever"), 2, "error: no"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (KeyboardInterrupt("stopped"), 130, "stopped"),
    ],
)
def test_an_error_is_one_line(monkeypatch, capsys, error, status, said):
    def fail(options):
        raise error

    monkeypatch.setattr("keras_transformer.cli.demo.run", fail)
    assert cli.main(["demo"]) == status
    assert capsys.readouterr().err == f"keras-transformer: {said}\n"


def test_a_reader_that_leaves_early_is_no_error(monkeypatch, capsys):
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(
        "keras_transformer.cli.demo.run", lambda options: print("text", flush=True)
    )
    with open(writer, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert cli.main(["demo"]) == 141
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "closed, arguments, message",
    [
        (">&-", "--version", "standard output must be open; received 'a closed one'"),
        (">&-", "demo", "standard output must be open; received 'a closed one'"),
        (
            "<&-",
            "translate none --runtime ctranslate2",
            "standard input must be open; received 'a closed one'",
        ),
        ("2>&-", "serve", None),
    ],
)
def test_a_closed_stream_is_no_success(tmp_path, closed, arguments, message):
    command = [sys.executable, "-m", "keras_transformer", *arguments.split()]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    expected = f"keras-transformer: error: {message}\n" if message else ""
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    assert not list(tmp_path.iterdir())


def test_no_file_gets_the_number_of_a_closed_stream():
    program = (
        "import os; from keras_transformer.cli.main import fill_closed_streams; "
        "fill_closed_streams(); print(os.open(os.devnull, os.O_RDONLY) > 2)"
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", sys.executable, "-c", program],
        capture_output=True,
        cwd=ROOT,
        text=True,
    )
    assert done.stdout == "True\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_output_that_cannot_be_written_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr("keras_transformer.cli.demo.run", lambda options: print("text"))
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert cli.main(["demo"]) == 2
    assert "error: [Errno 28] No space left on device\n" in capsys.readouterr().err


def test_an_argument_is_utf8(capsys):
    assert cli.main(["translate", "run", "a\udcff"]) == 2
    expected = "error: argument 3 must be UTF-8; received 'a\\udcff'\n"
    assert capsys.readouterr().err.endswith(expected)


def test_ctranslate2_starts_without_keras(tmp_path):
    program = (
        "import sys; from keras_transformer.cli.main import main; "
        "print(main(sys.argv[1:]), {'keras', 'jax', 'tensorflow', 'torch'} "
        "& sys.modules.keys())"
    )
    command = ["translate", "--runtime", "ctranslate2", str(tmp_path / "none"), "A"]
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        capture_output=True,
        cwd=ROOT,
        text=True,
    )
    assert done.stdout == "2 set()\n", done.stderr


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ours = tomllib.loads(text)["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {ours}\n" in citation
    assert stop.value.code == 0
    keras = version("keras")
    torch = version("torch")
    expected = f"keras-transformer {ours} (Keras {keras}, torch {torch})\n"
    assert capsys.readouterr().out == expected


def test_the_version_needs_no_backend():
    program = (
        "import sys; from keras_transformer.cli import main\n"
        "try:\n    main.main(['--version'])\n"
        "except SystemExit: print(*{'keras', 'torch'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, text=True)
    assert done.stdout.endswith(")\n\n"), done.stderr


def test_the_version_where_no_backend_is_installed(monkeypatch, capsys):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    said = 'no backend is installed: pip install -e ".[tensorflow]" in the clone)'
    assert said in capsys.readouterr().out
