"""A flag for each setting, and what a settings file may hold."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_transformer.cli import main as cli
from keras_transformer.cli.flags import LARGEST_TOML, chosen_fields, read_toml
from keras_transformer.cli.parser import parse
from keras_transformer.config import (
    NO_FLAGS,
    DataConfig,
    DecodingConfig,
    TrainingConfig,
    TransformerConfig,
)

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "": (),
    "demo": (),
    "train": (TransformerConfig, DataConfig, TrainingConfig),
    "translate": (DecodingConfig,),
    "generate": (DecodingConfig,),
    "evaluate": (DecodingConfig,),
    "export": (DecodingConfig,),
    "import": (),
    "app": (),
}


def squeezed(text):
    """Without what line breaking may put in or take out."""
    return re.sub(r"[\s_-]", "", text)


@pytest.mark.parametrize("command", SETTINGS)
def test_help_mentions_every_setting(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command.split(), "--help-all" if SETTINGS[command] else "--help"])
    assert stop.value.code == 0
    out = squeezed(capsys.readouterr().out)
    assert out.startswith("usage:kerastransformer")
    for config in SETTINGS[command]:
        for field in dataclasses.fields(config):
            if config is not TransformerConfig or field.name not in NO_FLAGS:
                assert squeezed(field.name) in out
                assert squeezed(field.metadata["help"]) in out


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("", {}),
        ("--norm-first --no-final-norm", {"norm_first": True, "final_norm": False}),
        ("--no-norm-first --d-model 8", {"norm_first": False, "d_model": 8}),
        ("--key-dim 3 --dropout 0.5", {"key_dim": 3, "dropout": 0.5}),
        ("--positions learned --seed 3", {"positions": "learned"}),
    ],
)
def test_only_what_is_chosen_is_set(flags, expected):
    options = parse(["train", "RUN", *flags.split()])
    assert chosen_fields(options, TransformerConfig) == expected


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("train RUN --weights 1 1 --weights 2 3", [1, 1, 2, 3]),
        ("train RUN --tags a --tags b", ["a", "b"]),
        ("tune RUN --length-penalties 0 1 --length-penalties 2", [0, 1, 2]),
        ("tune RUN --coverage-penalties 0 --coverage-penalties 1", [0, 1]),
        ("evaluate RUN --text a --text b c", ["a", "b", "c"]),
    ],
)
def test_a_list_is_continued_where_its_flag_comes_again(flags, expected):
    name = flags.split()[2].removeprefix("--").replace("-", "_")
    assert getattr(parse(flags.split()), name) == expected


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--beam", "2", "- item", "-5"], ["- item", "-5"]),
        (["A", "--beam", "2", "--", "-item", "--seed"], ["A", "-item", "--seed"]),
        (["--", "-item"], ["-item"]),
    ],
)
def test_text_may_begin_with_a_dash(words, expected):
    assert parse(["translate", "RUN", *words]).text == expected


@pytest.mark.parametrize("word", ["--bem", "--bem=a b", "-b"])
def test_flags_that_there_are_not(word):
    with pytest.raises(ValueError, match=f"unrecognized arguments: {word} .see "):
        parse(["translate", "RUN", "--beam", "2", word])


def test_what_the_tokenizer_decides_is_chosen_with_the_data():
    options = parse(["train", "RUN", "--no-share-embeddings"])
    assert chosen_fields(options, DataConfig) == {"share_embeddings": False}
    assert chosen_fields(options, TransformerConfig) == {}


def test_no_toml_at_all(tmp_path):
    for path, reason in (
        (tmp_path / "absent.toml", "No such file"),
        (tmp_path, "Is a"),
    ):
        message = f"config '.*' must be a readable TOML file; received {reason}"
        with pytest.raises(ValueError, match=message):
            read_toml(str(path))


@pytest.mark.parametrize(
    "text, message",
    [
        ("#" * (LARGEST_TOML + 1), "must have at most 16,384 bytes; received 16385"),
        ("source = " + "[" * 9000, "is not valid TOML: maximum recursion depth"),
        ("source = " + "{a=" * 3000, "is not valid TOML: maximum recursion depth"),
        ("source" + ".a" * 3000 + " = 1", "is not valid TOML: maximum recursion"),
        ("source = " + "9" * 9000, "is not valid TOML: Exceeds the limit"),
        ("source = 0x" + "f" * 9000, "is not valid TOML: Exceeds the limit"),
    ],
)
def test_hostile_toml(tmp_path, text, message):
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"config '{path}' {message}") as caught:
        read_toml(str(path))
    assert len(str(caught.value)) < 500


def test_a_settings_file_may_have_a_byte_order_mark(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("preset = 'tiny'", "utf-8-sig")
    assert read_toml(path) == {"preset": "tiny"}


def test_a_settings_file_is_no_pipe(tmp_path):
    path = tmp_path / "run.toml"
    os.mkfifo(path)
    with pytest.raises(ValueError, match="run.toml must be a regular file, no pipe"):
        read_toml(path)


@pytest.mark.parametrize(
    "command, shown, hidden",
    [
        ("train", "--valid-source --epochs --resume", "--d-model --max-ratio"),
        ("translate", "--prefix --beam --bulk", "--workers --top-k --prefix-file"),
    ],
)
def test_help_in_two_steps(command, shown, hidden, capsys):
    found = []
    for flag in ("--help", "--help-all"):
        with pytest.raises(SystemExit):
            cli.main([command, flag])
        found.append(capsys.readouterr().out.split())
    short, full = found
    for flag in shown.split():
        assert flag in short and flag in full
    for flag in hidden.split():
        assert flag not in short and flag in full
    assert "--help-all" in short and "--help-all" in full


@pytest.mark.parametrize(
    "typed, expected",
    [
        ("tra", ["train", "translate"]),
        ("translate ru", ["run"]),
        ("translate run --search g", ["greedy"]),
        ("train new --max-m", ["--max-minutes"]),
    ],
)
def test_a_shell_completes(run, typed, expected):
    """As bash asks; the answer comes through a descriptor, here a file."""
    pytest.importorskip("argcomplete")
    line = f"keras-transformer {typed}"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(run.parent / "completions"),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "PYTHONPATH": str(ROOT),
    }
    program = "from keras_transformer.cli.main import main; main()"
    command = [sys.executable, "-c", program]
    environment = {**os.environ, **asked}
    subprocess.run(command, cwd=run.parent, env=environment, check=False)
    found = (run.parent / "completions").read_text().split("\v")
    assert sorted(word.strip() for word in found) == expected
