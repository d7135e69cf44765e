"""The known alignments of the bundled corpus, checked against links written by hand."""

import gzip
import sys
from pathlib import Path

import pytest

from keras_transformer.data import captions

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from captions.alignment import sure_links  # noqa: E402


@pytest.mark.parametrize(
    "source, target, expected",
    [
        ("A hungry monkey is playing.", "Ein hungriger Affe spielt.", "monkey-Affe hungry-hungriger playing-spielt"),
        ("The cup is red.", "Die Tasse ist rot.", "cup-Tasse red-rot"),
        (
            "Two girls are listening to the farmer.",
            "Zwei Mädchen hören dem Bauern zu.",
            "Two-Zwei girls-Mädchen listening-hören farmer-Bauern",
        ),
        ("Some boys want to open the door.", "Einige Jungen möchten die Tür öffnen.", "Some-Einige boys-Jungen "
         "open-öffnen door-Tür"),
        # "young" and "boy" may both be the first or the last of these: no doubt is allowed.
        ("The bike is smaller than the bike.", "Das Fahrrad ist kleiner als das Fahrrad.", "smaller-kleiner"),
    ],
)  # fmt: skip
def test_sure_links_by_hand(source, target, expected):
    words = [[word.strip(".") for word in text.split()] for text in (source, target)]
    assert {f"{words[0][i]}-{words[1][j]}" for i, j in sure_links(source, target)} == set(expected.split())


def test_half_of_the_words_of_the_corpus_are_known():
    sources, targets = (gzip.open(path, "rt", encoding="utf-8").read().splitlines() for path in captions("test"))
    known = [sure_links(*pair) for pair in zip(sources, targets)]
    assert sum(map(len, known)) > 0.45 * sum(len(target.split()) for target in targets)
    assert all(len({i for i, _ in links}) == len({j for _, j in links}) == len(links) for links in known)
