"""`clean` writes files, whole or not at all."""

import gzip
import json

import pytest

from keras_transformer.cli import main as cli
from keras_transformer.cli.main import needs_keras
from keras_transformer.cli.parser import parse

ROWS = [
    ("source", "target"),
    ("A cat\nsleeps.", "Un gato\tduerme."),
    ("A cat\nsleeps.", "Un gato\tduerme."),
    ("Rain", "Lluvia"),
]


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f'"{source}","{target}"\n' for source, target in ROWS]
    (tmp_path / "in.csv").write_text("".join(rows))
    return tmp_path


def clean(*arguments):
    assert cli.main(["clean", *arguments]) == 0


def test_three_kinds_of_output(table, capsys):
    clean("in.csv", "out.tsv")
    said = capsys.readouterr().out
    assert said.startswith("kept 2 of 3 pairs; dropped 1: 1 drop_duplicates\n")
    assert said.endswith("Written: out.tsv\n")
    expected = "A cat sleeps.\tUn gato duerme.\nRain\tLluvia\n"
    assert (table / "out.tsv").read_text() == expected
    clean("in.csv", "out.jsonl.gz", "--no-drop-duplicates")
    with gzip.open("out.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert [tuple(row.values()) for row in rows] == ROWS[1:]
    clean("out.jsonl.gz", "text", "--from", "en", "--to", "es")
    assert (table / "text.en").read_text() == "A cat sleeps.\nRain\n"
    assert (table / "text.es").read_text() == "Un gato duerme.\nLluvia\n"
    clean("text.en", "text.es", "again.tsv", "--from", "es", "--to", "en")
    assert (table / "again.tsv").read_text().endswith("Lluvia\tRain\n")
    clean("again.tsv", "--source", "text.en", "--target", "text.es")
    assert (table / "again.tsv").read_text() == expected


def test_a_failure_leaves_all_as_it_was(table, capsys):
    (table / "out.tsv").write_text("old")
    with (table / "in.csv").open("a") as file:
        file.write("only one\n")
    assert cli.main(["clean", "in.csv", "out.tsv"]) == 2
    assert (
        "in.csv, line 7, must have two columns; received 1" in capsys.readouterr().err
    )
    assert (table / "out.tsv").read_text() == "old"
    assert sorted(path.name for path in table.iterdir()) == ["in.csv", "out.tsv"]


def test_what_is_read_is_not_written(table, capsys):
    clean("in.csv", "in.tsv")
    before = (table / "in.tsv").read_text()
    assert cli.main(["clean", "in.tsv", "./in.tsv"]) == 2
    must = "OUTPUT must not be a file that is read; received 'in.tsv'"
    assert must in capsys.readouterr().err
    assert (table / "in.tsv").read_text() == before


def test_it_needs_no_keras():
    assert not needs_keras(parse(["clean", "a", "b"]))


@pytest.mark.parametrize("runtime", ["keras", "ctranslate2"])
def test_ctranslate2_evaluates_without_keras(runtime):
    command = ["evaluate", "a", "--source", "b", "--target", "c", "--runtime", runtime]
    assert needs_keras(parse(command)) == (runtime == "keras")
