"""Sentences and their pieces."""

import pytest

pytest.importorskip("pysbd")

from keras_transformer.documents.document import Segment  # noqa: E402
from keras_transformer.documents.sentences import (  # noqa: E402
    pieces_of,
    splitter_for,
)


@pytest.mark.parametrize(
    "language, text, fixed, pieces",
    [
        ("en", " See Mr. Fox. Then  go!\n", [], ["See Mr. Fox.", "Then go!"]),
        (
            "en",
            "Use <b>it</b>, now. Ok",
            [(4, 7), (9, 13)],
            ["Use", "it", "now.", "Ok"],
        ),
        ("en", "In a.B. See", [(3, 7)], ["In", "See"]),
        ("en", "Mail me@x.org or https://x.org/A. Bye", [], ["Mail", "or", "Bye"]),
        ("de", "Das gilt z. B. hier. Ja.", [], ["Das gilt z. B. hier.", "Ja."]),
        ("ja_XX", "犬。猫!鳥?はい", [], ["犬。", "猫!", "鳥?", "はい"]),
        (
            "en",
            "Read %d of %(n)s. It is 50 % off.",
            [],
            ["Read", "of", "It is 50 % off."],
        ),
        ("en", "Hi {name!r}, see {{ a b }} or ${x.y}", [], ["Hi", "see", "or"]),
        ("en", "Say ``a. B`` now. Ok", [], ["Say ``a. B`` now.", "Ok"]),
        ("xx", "42, 43. One.", [], ["One."]),
        ("en", "A .so or .NET 4. An .env", [], ["A .so or .NET 4.", "An .env"]),
        (None, "A line\nOther", [], ["A line", "Other"]),
    ],
)
def test_pieces(language, text, fixed, pieces):
    segment = Segment(text, "line 1", 0, len(text), fixed)
    found = list(pieces_of(segment, splitter_for(language)))
    assert [piece for *_, piece in found] == pieces
    for start, end, piece in found:
        assert " ".join(text[start:end].split()) == piece


def test_a_line_break_may_be_a_space():
    segment = Segment("A line\n> goes on. So", "line 1", 0, 20, soft=[(6, 9)])
    pieces = [piece for *_, piece in pieces_of(segment, splitter_for("en"))]
    assert pieces == ["A line goes on.", "So"]
