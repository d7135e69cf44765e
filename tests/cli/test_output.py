"""Rows and their columns, and when they are given."""

import json
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_transformer.cli.output import escaped, row, rows_of
from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.base_translator import Hypothesis

HYPOTHESIS = Hypothesis("ein\tMann", -0.5, (2, 1), (-0.25, -0.125))
PIECES = ["</s>", "▁Mann", "▁ein"]


class Parrot:
    """Translates nothing, and notes which columns it was asked for."""

    config = DecodingConfig(batch_size=2, n_best=2)
    target_tokenizer = types.SimpleNamespace(pieces=PIECES)

    def __init__(self):
        self.asked = []

    def stream(self, lines, prefixes=None, token_scores=False, alignments=False):
        for line in lines:
            self.asked.append((line, token_scores, alignments))
            yield [Hypothesis(line, 0.0, (1,), (-0.5,), ((0, len(line)),))] * 2


def test_a_translation_is_one_line():
    assert row(Hypothesis("ein\nMann\u2028geht", 0.0, ())) == "ein Mann geht"


def test_columns():
    assert row(HYPOTHESIS) == "ein\tMann"
    assert row(HYPOTHESIS, [(0, 0), (2, 1)]) == "ein Mann\t0-0 2-1"
    expected = "3\t-0.5000\tein Mann\t\t▁ein:-0.2500 ▁Mann:-0.1250"
    assert row(HYPOTHESIS, [], 3, PIECES) == expected


@settings(deadline=None)
@given(st.lists(st.text(), max_size=4))
def test_columns_can_be_parsed_whatever_the_tokens(pieces):
    ids = tuple(range(len(pieces)))
    hypothesis = Hypothesis("a", 0.0, ids, (-0.5,) * len(pieces))
    line = row(hypothesis, [], None, pieces)
    assert line.isprintable() or set(line) - {"\t"} <= set(
        filter(str.isprintable, line)
    )
    text, links, column = line.split("\t")
    tokens = [token.rpartition(":") for token in column.split(" ") if token]
    assert [json.loads(f'"{piece}"') for piece, _, _ in tokens] == pieces
    assert [float(score) for _, _, score in tokens] == [-0.5] * len(pieces)


def test_what_is_not_visible_in_a_token_is_escaped():
    assert escaped("▁Mädchen·👩") == "▁Mädchen·👩"
    written = escaped('a\t\n\\" \u2028\xa0\u200b\U000e0041:')
    assert written == r"a\t\n\\\"\u0020\u2028\u00a0\u200b\udb40\udc41:"


def test_alignments_and_token_scores_belong_to_their_line():
    parrot = Parrot()
    texts = ["a", "bb", "ccc"]
    assert list(rows_of(parrot, iter(texts), True, True)) == [
        [f"{number}\t0.0000\t{text}\t0-{len(text)}\t▁Mann:-0.5000"] * 2
        for number, text in enumerate(texts, start=1)
    ]
    assert parrot.asked == [(text, True, True) for text in texts]


def test_plain_rows_and_the_numbers_of_a_share():
    (rows,) = rows_of(Parrot(), ["a"], False, False, numbers=[7])
    assert rows == ["7\t0.0000\ta"] * 2


@pytest.mark.parametrize("alignments", [False, True])
def test_who_types_is_answered_at_once(alignments):
    typed = []
    lines = (typed.append(line) or line for line in ["a", "bb", "ccc"])
    found = rows_of(Parrot(), lines, alignments, False, at_once=True)
    for number, _ in enumerate(found, start=1):
        assert len(typed) == number


def test_what_a_translation_lacks_is_said_with_its_line():
    class Loser(Parrot):
        config = DecodingConfig()

        def stream(self, lines, prefixes=None, **columns):
            for line in lines:
                yield [Hypothesis(line, 0.0, (1,), lost=("%s", "%d")[: int(line)])]

    with pytest.warns(UserWarning) as warned:
        rows = list(rows_of(Loser(), ["0", "2", "0", "1"], False, False))
    assert rows == [["0"], ["2"], ["0"], ["1"]]
    assert [str(one.message) for one in warned] == [
        "line 2: the translation lacks %s, %d",
        "line 4: the translation lacks %s",
    ]
