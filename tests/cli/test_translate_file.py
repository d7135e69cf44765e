"""`translate` with a document; what formats do is in tests/documents."""

import csv

import pytest

from keras_transformer.cli import main as cli

pypo = pytest.importorskip(
    "translate.storage.pypo", reason="the extra `documents` is not installed"
)

SEARCH = ["--search", "greedy", "--extra-length", "2"]
CATALOGUE = r"""msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\n"

msgid "A man sits."
msgstr ""

msgid "Two dogs run. A man sits."
msgstr ""

msgid "given"
msgstr "gegeben"
"""
FILES = {
    "a.po": CATALOGUE,
    "a.md": "# Dogs\n\nTwo dogs run.\n",
    "a.csv": "text\nTwo dogs run.\n",
    "a.txt": "Two dogs\nrun.\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with documents."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_catalogue_its_prefix_and_review(run, main, folder):
    files = ["--input", "a.po", "--output", "b.po", "--review", "r.tsv"]
    assert main("translate", run, *files, "--prefix", "Ein", *SEARCH) == ""
    _, *filled, given = pypo.pofile.parsefile("b.po").units
    assert all(entry.isfuzzy() for entry in filled)
    assert all(entry.target.startswith("Ein") for entry in filled)
    assert str(given) == 'msgid "given"\nmsgstr "gegeben"\n'
    header, *rows = (folder / "r.tsv").read_text().splitlines()
    assert header == "score\tplace\tsource\ttranslation"
    scores = [float(row.split("\t")[0]) for row in rows]
    assert len(scores) == 2 and scores == sorted(scores) and scores[1] < 0


def test_the_same_words_as_lines(run, main, folder):
    said = main("translate", run, "Two dogs run.", "Dogs", *SEARCH).splitlines()
    files = ["--input", "a.csv", "--output", "b.csv", "--column", "text"]
    main("translate", run, *files, *SEARCH, "--into", "de")
    with open("b.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["text", "de"], ["Two dogs run.", said[0]]]
    files = ["--paragraphs", "--input", "a.txt", "--output", "b.txt"]
    main("translate", run, *files, *SEARCH)
    assert (folder / "b.txt").read_text() == f"{said[0]}\n"


def test_text_without_a_flag_stays_lines(run, main, folder):
    main("translate", run, "--input", "a.txt", "--output", "b.txt", *SEARCH)
    assert (folder / "b.txt").read_text().count("\n") == 2


@pytest.mark.parametrize(
    "flags, message",
    [
        ("--input a.po", "--output must be given with PO; received None"),
        (
            "--input a.po --output b.txt",
            "--output must have the format of --input, PO; received 'b.txt'",
        ),
        (
            "--input a.txt --output b.po",
            "--input must have the format of --output, PO; received 'a.txt'",
        ),
        (
            "--input a.srt.xz --output b.srt",
            "--input must be lines of text or a document, which .srt is not; received",
        ),
        (
            "--input a.txt --output b.txt.xz",
            "--output must be plain or end in .gz; received 'b.txt.xz'",
        ),
        ("A --input a.md --output b.md", "TEXT must be absent with Markdown; received"),
        ("--input a.md --output b.md --n-best 2", "--n-best must be 1 with Markdown; "),
        ("--input a.md --output b.md --bulk", "--bulk must be absent with Markdown; "),
        (
            "--input a.md --output b.md --token-scores",
            "--token-scores must be absent with Markdown; received True",
        ),
        (
            "--input a.md --output b.md --prefix-file a.txt",
            "--prefix-file must be absent with Markdown; received 'a.txt'",
        ),
        ("--input a.csv --output b.csv", "--column must be given with CSV; received N"),
        (
            "--input a.csv --output b.csv --column b",
            "--column must be one of ['text']; received 'b'",
        ),
        (
            "--input a.md --output b.md --column b",
            "--column must be absent without --bulk or CSV, TSV, JSON lines; received",
        ),
        (
            "--input a.txt --output b.txt --into b",
            "--into must be absent without --bulk or CSV, TSV, JSON lines; received",
        ),
        (
            "--input a.txt --review b.tsv",
            "--review must be absent without a document as --input; received 'b.tsv'",
        ),
        (
            "--input a.md --output b.md --review b.md",
            "--review must differ from --input and --output; received 'b.md'",
        ),
        (
            "--input a.md --output b.md --review no/r.tsv",
            "--review must be that of a file in an existing directory; received 'no/r",
        ),
        ("--paragraphs", "--input must be given with --paragraphs; received None"),
        (
            "--paragraphs --input a.md --output b.md",
            "--paragraphs must be absent with Markdown; received 'a.md'",
        ),
        ("--input no.po --output b.po", "no.po must be a readable file; received No s"),
        ("--input a.md --output no/b.md", "a file in an existing directory; received"),
    ],
)
def test_what_cannot_be_is_refused(run, folder, capsys, flags, message):
    before = {path.name for path in folder.iterdir()}
    assert cli.main(["translate", str(run), *flags.split()]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert {path.name for path in folder.iterdir()} == before
