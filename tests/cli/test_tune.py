import pytest
from layer_checks import ON_TORCH, marked

from keras_transformer.cli import main as cli


@pytest.fixture
def files(corpus):
    return ("--source", str(corpus[2]), "--target", str(corpus[3]))


@marked(ON_TORCH)
def test_a_table_and_what_to_pass(main, run, files):
    few = ("--length-penalties", 0.5, 1.5, "--beam", 2, "--batch-size", 8)
    lines = main("tune", run, *files, *few).splitlines()
    assert lines[0].split() == ["length", "penalty", "BLEU", "chrF"]
    rows = [list(map(float, line.split())) for line in lines[1:3]]
    assert [row[0] for row in rows] == [0.5, 1.5]
    best = max(rows, key=lambda row: row[1])[0]
    said = f"Best by BLEU: --length-penalty {best} --beam 2 --penalty gnmt"
    assert lines[3] == said


@pytest.mark.parametrize(
    "wrong, message",
    [
        (("--beam", "1"), "--beam must be above 1 to rank by; received 1"),
        (
            ("--length-penalties", "-1"),
            "--length-penalties must be between 0 and 5; received [-1.0]",
        ),
    ],
)
def test_what_cannot_be_tuned(run, files, capsys, wrong, message):
    assert cli.main(["tune", str(run), *files, *wrong]) == 2
    assert message in capsys.readouterr().err
