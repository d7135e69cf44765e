import gzip

import numpy as np
import pytest

from keras_transformer import Translator, read_pairs
from keras_transformer.cli import main as cli


def test_each_pair_has_a_line(run, main, tmp_path):
    """The numbers are those of `Translator.score`, the mean one for each token."""
    files = [str(run.parent / f"valid.{language}") for language in ("en", "de")]
    output = tmp_path / "scores.tsv.gz"
    flags = ("--source", files[0], "--target", files[1], "--batch-size", 3)
    assert main("score", run, *flags, "--output", output) == ""
    text = gzip.decompress(output.read_bytes()).decode()
    rows = [line.split("\t") for line in text.splitlines()]
    sources, targets = zip(*read_pairs(*files))
    assert [row[2:] for row in rows] == [list(pair) for pair in zip(sources, targets)]
    translator = Translator.load(run)
    totals = translator.score(sources, targets)
    np.testing.assert_allclose([float(row[0]) for row in rows], totals, atol=1e-3)
    encoded = translator.target_tokenizer.encode(targets)
    means = [total / (len(ids) + 1) for total, ids in zip(totals, encoded)]
    np.testing.assert_allclose([float(row[1]) for row in rows], means, atol=1e-3)


def test_a_file_of_both_sides_and_what_is_no_pair(run, tmp_path, capsys):
    (tmp_path / "a.csv").write_text('de,en\n"ein\tMann","a\nman"\n,a\n', "utf-8")
    command = ["score", str(run), "--pairs", str(tmp_path / "a.csv")]
    assert cli.main([*command, "--columns", "en,de"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split("\t")[2:] == ["a man", "ein Mann"]
    assert len(out.splitlines()) == 1 and "no pairs: 1 untranslated" in err


@pytest.mark.parametrize(
    "files, message",
    [
        (["en", "en"], "--source and --target must be in two languages, not the same"),
        (["en", "short"], "must have as many lines; received [8, 1]"),
        (["en", "none"], "none must be a readable text file; received No such file"),
        ([], "--source must be given, unless one run alone held out pairs"),
    ],
)
def test_what_cannot_be_scored_writes_nothing(run, tmp_path, capsys, files, message):
    (run.parent / "valid.short").write_text("ein Mann\n")
    names = [str(run.parent / f"valid.{name}") for name in files]
    command = ["score", str(run), "--output", str(tmp_path / "scores.tsv")]
    for flag, name in zip(("--source", "--target"), names):
        command += [flag, name]
    assert cli.main(command) == 2
    assert message in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
