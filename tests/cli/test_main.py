import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from small import FLAGS, write_corpus

from keras_transformer.cli import main as cli
from keras_transformer.config import (
    NO_FLAGS,
    DataConfig,
    DecodingConfig,
    TrainingConfig,
    TransformerConfig,
)
from keras_transformer.runs.run import Run

SEARCH = ["--beam", "2", "--extra-length", "2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that `train` made, with settings from flags and from a file; the corpus is beside it."""
    folder = tmp_path_factory.mktemp("cli")
    files = write_corpus(folder)
    names = ("source", "target", "valid_source", "valid_target")
    settings = [f"{name} = {str(path)!r}" for name, path in zip(names, files)]
    settings += ["preset = 'small'", "[model]", "dropout = 0.25", "heads = 4"]
    settings += ["[data]", "max_ratio = 3", "[training]", "max_updates = 1", "seed = 5"]
    (folder / "run.toml").write_text("\n".join(settings))
    arguments = [
        "train",
        str(folder / "run"),
        "--config",
        str(folder / "run.toml"),
        "--max-updates",
        "2",
        *FLAGS,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "keras_transformer.data.batches.bucket_edges", lambda longest: (longest,)
        )
        assert cli.main(arguments) == 0
    return folder / "run"


@pytest.fixture
def main(capsys):
    """Run a command that must succeed; its standard output."""

    def call(*arguments):
        capsys.readouterr()
        status = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert status == 0 and not err, err
        return out

    return call


def test_train_takes_flags_before_the_file_before_the_preset(run):
    config = Run.open(run).config
    model, data, training = config.model, config.data, config.training
    assert (model.d_model, model.num_heads, model.dropout) == (16, 2, 0.25)
    assert (data.max_ratio, data.vocab_size, training.max_updates, training.seed) == (
        3,
        200,
        2,
        5,
    )
    assert training.epochs == TrainingConfig().epochs
    assert len((run / "log.jsonl").read_text().splitlines()) == 1


def test_translate_arguments(run, main):
    both = main("translate", run, "A man sits.", *SEARCH, "Two dogs run.").splitlines()
    assert len(both) == 2
    assert main("translate", run, *SEARCH, "Two dogs run.").splitlines() == both[1:]


def test_translate_files_and_standard_input(run, main, tmp_path, monkeypatch):
    sentences = ["A man sits.", "", "Two dogs run."]
    (tmp_path / "in.txt").write_text("\n".join(sentences))
    assert (
        main(
            "translate",
            run,
            "--input",
            tmp_path / "in.txt",
            "--output",
            tmp_path / "out.txt",
            *SEARCH,
        )
        == ""
    )
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")
    assert len(lines) == 4 and lines[1] == lines[3] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.txt"]

    for typed in (False, True):
        stdin = io.TextIOWrapper(io.BytesIO("\n".join(sentences).encode()))
        stdin.isatty = lambda typed=typed: typed
        monkeypatch.setattr("sys.stdin", stdin)
        assert main("translate", run, *SEARCH).split("\n") == lines


def test_n_best(run, main):
    rows = [
        line.split("\t")
        for line in main(
            "translate", run, "A man sits.", "", "--n-best", 2, *SEARCH
        ).splitlines()
    ]
    assert [row[0] for row in rows] == ["1", "1", "2"] and rows[2][2] == ""
    assert float(rows[0][1]) >= float(rows[1][1])


def test_alignments_and_token_scores_are_columns(run, main, capsys):
    rows = main(
        "translate",
        run,
        "A man sits.",
        "",
        "Dogs run.",
        "--alignments",
        "--token-scores",
        *SEARCH,
    ).split("\n")
    assert rows[1:] == ["\t\t", rows[2], ""]
    for row, words in ((rows[0], 3), (rows[2], 2)):
        text, links, tokens = row.split("\t")
        pairs = [link.split("-") for link in links.split()]
        assert [
            int(j) for _, j in sorted(pairs, key=lambda pair: int(pair[1]))
        ] == list(range(len(text.split())))
        assert all(0 <= int(i) < words for i, _ in pairs)
        assert all(float(token.rpartition(":")[2]) < 0 for token in tokens.split(" "))
    only = main(
        "translate", run, "A man sits.", "--alignments", "--n-best", 2, *SEARCH
    ).splitlines()
    assert [len(row.split("\t")) for row in only] == [4, 4]
    assert (
        cli.main(
            ["translate", str(run), "A", "--alignments", "--runtime", "ctranslate2"]
        )
        == 2
    )
    expected = "--alignments goes with --runtime keras; received --runtime ctranslate2"
    assert expected in capsys.readouterr().err


def test_evaluate(run, main):
    files = ("--source", run.parent / "valid.en", "--target", run.parent / "valid.de")
    text = main("evaluate", run, *files, *SEARCH)
    found = json.loads(main("evaluate", run, *files, "--json", *SEARCH))
    assert set(found) == {
        "bleu", "bleu_signature", "chrf", "chrf_signature", "sentences", "sentences_per_second"
    }  # fmt: skip
    assert found["sentences"] == 8 and found["sentences_per_second"] > 0
    assert (
        f"BLEU {found['bleu']:.2f} ({found['bleu_signature']})" in text
        and "8 sentences, " in text
    )


def test_a_long_sentence_is_cut_with_a_warning(run, capsys):
    assert (
        cli.main(
            [
                "translate",
                str(run),
                "A man sits. " * 5,
                "--max-source-length",
                "6",
                *SEARCH,
            ]
        )
        == 0
    )
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert (
        err.startswith("keras-transformer: warning: cut to 6 tokens: 1 of 1 sentences")
        and err.count("\n") == 1
    )


@pytest.mark.parametrize(
    "command, kinds",
    [
        ([], ()),
        (["demo"], ()),
        (["train"], (TransformerConfig, DataConfig, TrainingConfig)),
        (["translate"], (DecodingConfig,)),
        (["evaluate"], (DecodingConfig,)),
        (["export"], (DecodingConfig,)),
        (["app"], ()),
    ],
)
def test_help_mentions_every_setting(command, kinds, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    out = squeezed(capsys.readouterr().out)
    assert out.startswith("usage:kerastransformer")
    for field in (field for kind in kinds for field in dataclasses.fields(kind)):
        if field.name not in NO_FLAGS:
            assert (
                squeezed(field.name) in out and squeezed(field.metadata["help"]) in out
            )


def squeezed(text):
    """Without what line breaking may put in or take out."""
    return re.sub(r"[\s_-]", "", text)


def test_demo_shows_score_translations_and_what_to_type(tmp_path, main, monkeypatch):
    train, *_ = write_corpus(tmp_path / "corpus", valid=10)
    folder = train.parent
    splits = {
        "train": ("train.en", "train.de"),
        "valid": ("valid.en", "valid.de"),
        "test": ("valid.en", "valid.de"),
    }
    monkeypatch.setattr(
        "keras_transformer.data.captions",
        lambda split: [folder / name for name in splits[split]],
    )
    monkeypatch.setattr(
        "keras_transformer.data.batches.bucket_edges", lambda longest: (longest,)
    )
    monkeypatch.setattr(
        cli, "DEMO_MODEL", dict(encoder_layers=1, decoder_layers=1, d_model=16, d_ff=16)
    )
    monkeypatch.setattr(cli, "DEMO_DATA", DataConfig(vocab_size=200))
    monkeypatch.setattr(cli, "DEMO_TRAINING", TrainingConfig(epochs=1))
    out = main("demo", tmp_path / "run")
    assert "BLEU" in out and "tok:13a" in out and "  -> " in out
    assert f"keras-transformer translate {tmp_path / 'run'} " in out
    assert cli.main(["demo", str(tmp_path / "run")]) == 2  # it exists now


def test_as_a_module_in_a_pipe(run):
    command = [
        sys.executable,
        "-m",
        "keras_transformer",
        "translate",
        run,
        "--n-best",
        "2",
        *SEARCH,
    ]
    how = dict(
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        text=True,
        encoding="utf-8",
    )
    done = subprocess.run(
        command, input="A man sits.\nZwei Hunde.\n", capture_output=True, **how
    )
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [
        "1",
        "1",
        "2",
        "2",
    ]


def test_an_error_that_nobody_expected_is_one_line_as_well(monkeypatch, capsys):
    def fail(options):
        raise RuntimeError("out of memory\nat ...")

    monkeypatch.setattr(cli, "demo_command", fail)
    assert cli.main(["demo"]) == 2
    assert (
        capsys.readouterr().err
        == "keras-transformer: error: RuntimeError: out of memory\n"
    )


def test_a_reader_that_leaves_early_is_no_error():
    code = """
import sys
from keras_transformer.cli import main as cli
def pipe(options): raise BrokenPipeError
cli.demo_command = pipe
sys.exit(cli.main(["demo"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    assert done.returncode == 141 and not done.stderr


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    expected = tomllib.loads(text)["project"]["version"]
    assert (
        stop.value.code == 0
        and capsys.readouterr().out == f"keras-transformer {expected}\n"
    )
