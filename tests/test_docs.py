"""What prose says is executed: README's blocks, every docstring's example, every public name."""

import doctest
import gzip
import importlib
import inspect
import itertools
import pkgutil
import re
import shlex
import subprocess
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest

import keras_transformer
from keras_transformer.cli import build_parser, main
from keras_transformer.data import captions
from keras_transformer.flags import read_toml

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(keras_transformer.__path__, "keras_transformer.")
    if not info.name.endswith("__main__")
)


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """The files that README's commands name, cut from the bundled corpus, in the working directory."""
    for split, name, count in (("train", "train", 200), ("valid", "val", 20), ("test", "test", 10)):
        for path, language in zip(captions(split), ("en", "de")):
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                (tmp_path / f"{name}.{language}").write_text("".join(itertools.islice(lines, count)), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_commands_run(corpus, capsys):
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("keras-transformer ")]
    names = ["train", "translate", "translate", "evaluate", "train", "train", "train"]
    names += ["export", "translate", "export", "export", "translate"]
    assert [command[0] for command in commands] == names
    for number, command in enumerate(commands):
        if command[0] == "train":  # the same command, on 200 pairs and for few updates
            command += ["--max-updates", str(2 + number // 5)]
            command += ["--vocab-size", "400"] if number == 0 else []
        elif command[0] != "export":
            command += ["--extra-length", "3"]
        assert main(command) == 0, capsys.readouterr().err
    assert len((corpus / "test.translated").read_text(encoding="utf-8").splitlines()) == 10


def test_readme_commands_of_the_results_are_spelled_right():
    lines = [line for block in blocks("console") for line in block.replace("\\\n", " ").splitlines()]
    commands = [line.partition("keras-transformer ")[2] for line in lines if "keras-transformer " in line]
    assert len(commands) >= 2
    for command in commands:
        build_parser().parse_args(shlex.split(command))


def test_readme_make_targets_exist():
    targets = [line.split()[1] for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")]
    assert targets == ["demo", "test"]
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)


def test_readme_toml_is_a_config(tmp_path):
    (block,) = blocks("toml")
    (tmp_path / "run.toml").write_text(block, encoding="utf-8")
    assert read_toml(str(tmp_path / "run.toml")) == tomllib.loads(block)


def test_readme_python_runs(corpus, capsys):
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "BLEU" in capsys.readouterr().out


def test_contributing_is_true():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {}
    exec(compile(textwrap.dedent(block), "CONTRIBUTING.md", "exec"), names)
    names["test_exam"]()
    for target in sorted(set(re.findall(r"\bmake (\w+)", text))):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)
    for path in re.findall(r"tests/[\w/]+\.py", text):
        assert (ROOT / path).is_file(), path


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    module = importlib.import_module(name)
    names = {name: getattr(keras_transformer, name) for name in keras_transformer.__all__}
    globs = {"np": np, **names, **vars(module)}
    # print_function=False: arrays print as NumPy does since version 2.
    result = doctest.testmod(module, extraglobs=globs, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0


def test_every_public_name_is_documented_and_used():
    shown = README + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))
    shown += (ROOT / "keras_transformer" / "cli.py").read_text(encoding="utf-8")
    for home in (keras_transformer, keras_transformer.export, keras_transformer.plots, keras_transformer.pretrained):
        for name in home.__all__:
            assert inspect.getdoc(getattr(home, name)), f"{name} has no docstring"
            assert re.search(rf"\b{name}\b", shown), f"{name} is public and shown nowhere"
