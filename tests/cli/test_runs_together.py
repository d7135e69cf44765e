"""Several runs on the command line: they translate together."""

import json
import shutil

import pytest

from keras_transformer import Run
from keras_transformer.cli import main as cli

SHORT = ("--beam", "2", "--extra-length", "2")


@pytest.fixture
def runs(run, tmp_path):
    """A run and its copy: together they are what one is."""
    return str(run), str(shutil.copytree(run, tmp_path / "copy"))


@pytest.fixture
def files(run):
    names = [str(run.parent / f"valid.{language}") for language in ("en", "de")]
    return ("--source", names[0], "--target", names[1])


def test_they_are_evaluated_and_no_run_keeps_the_scores(runs, files, main):
    before = [Run.open(run).scores for run in runs]
    together = json.loads(main("evaluate", *runs, *files, *SHORT, "--json"))
    assert [Run.open(run).scores for run in runs] == before
    alone = json.loads(main("evaluate", runs[0], *files, *SHORT, "--json"))
    assert together["chrf"] == pytest.approx(alone["chrf"], abs=1e-3)


def test_they_score_a_pair_by_its_mean_probability(runs, files, main):
    found = []
    for given in (runs, runs[:1]):
        lines = main("score", *given, *files).splitlines()
        found.append([float(line.split("\t")[0]) for line in lines])
    assert found[0] == pytest.approx(found[1], abs=1e-3) and len(found[0]) == 8


def test_penalties_are_tuned_for_all(runs, files, main):
    few = ("--length-penalties", 1, "--beam", 2, "--batch-size", 8)
    tables = [main("tune", *given, *files, *few) for given in (runs, runs[:1])]
    assert tables[0] == tables[1] and "Best by BLEU" in tables[0]


@pytest.mark.parametrize(
    "command, more, message",
    [
        ("evaluate", ["--text", "a.txt"], "RUN must be one with --text; received ["),
        ("score", ["--runtime", "ctranslate2"], "RUN must be one with CTranslate2"),
        ("evaluate", [], "--source must be given, unless one run alone held out pairs"),
        ("tune", [], "--source must be given, unless one run alone held out pairs"),
    ],
)
def test_what_is_of_one_run(runs, capsys, command, more, message):
    assert cli.main([command, *runs, *more]) == 2
    assert message in capsys.readouterr().err
