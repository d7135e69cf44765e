import pytest

from keras_transformer.cli import main as cli


@pytest.fixture
def files(corpus):
    return ("--source", str(corpus[2]), "--target", str(corpus[3]))


def test_a_table_and_what_to_pass(main, run, files):
    few = ("--length-penalties", 0.5, 1.5, "--beam", 2, "--batch-size", 8)
    few += ("--coverage-penalties", 0, 4)
    lines = main("tune", run, *files, *few).splitlines()
    assert lines[0].split() == "length penalty coverage penalty BLEU chrF".split()
    rows = [list(map(float, line.split())) for line in lines[1:5]]
    assert [row[:2] for row in rows] == [[0.5, 0], [0.5, 4], [1.5, 0], [1.5, 4]]
    alpha, beta, *_ = max(rows, key=lambda row: row[2])
    said = f"Best by BLEU: --length-penalty {alpha} --beam 2 --penalty gnmt"
    if beta:
        said += f" --coverage-penalty {beta}"
    assert lines[5] == said


def test_coverage_of_several_runs(run, files, capsys):
    several = ["tune", str(run), str(run), *files, "--coverage-penalties", "0", "0.2"]
    assert cli.main(several) == 2
    said = capsys.readouterr()
    assert "--coverage-penalties must be 0 with several runs" in said.err
    assert not said.out
    command = ["evaluate", str(run), str(run), *files, "--coverage-penalty", "0.2"]
    assert cli.main(command) == 2
    assert "--coverage-penalty must be 0 with an ensemble" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong, message",
    [
        (("--beam", "1"), "--beam must be above 1 to rank by; received 1"),
        (
            ("--length-penalties", "-1"),
            "--length-penalties must be between 0 and 5; received [-1.0]",
        ),
        (
            ("--coverage-penalties", "9"),
            "--coverage-penalties must be between 0 and 5; received [9.0]",
        ),
    ],
)
def test_what_cannot_be_tuned(run, files, capsys, wrong, message):
    assert cli.main(["tune", str(run), *files, *wrong]) == 2
    assert message in capsys.readouterr().err
