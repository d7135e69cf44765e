import pytest

from keras_transformer.pretrained.tokenizers import base
from keras_transformer.pretrained.tokenizers.base import Vocabulary
from keras_transformer.text.special_tokens import SpecialTokens

PIECES = ["<pad>", "</s>", "<unk>", "a"]
SPECIAL = SpecialTokens(pad=0, unknown=2, begin=0, end=1)


def test_ids_of_pieces_and_what_decoding_leaves_out():
    found = Vocabulary(
        [*PIECES, "b", "c"], SPECIAL, marks=["a"], hidden=[5], source_suffix=[1]
    )
    assert found.pieces == (*PIECES, "b", "c") and found.ids["b"] == 4
    assert found.skipped == {0, 1, 2, 3, 5} and found.source_suffix == (1,)


WRONG = [
    (dict(pieces="abcd"), "pieces must be a list; received 'abcd'"),
    (dict(pieces=[*PIECES, 4]), "each of pieces must be a str; received '4'"),
    (dict(pieces=[]), "must have ids between 0 and -1; received 0"),
    (dict(pieces=[*PIECES, "a"]), "pieces must differ .*; received '1 twice'"),
    (dict(marks=["b"]), "marks must be in the vocabulary; received 'b'"),
    (dict(pieces=[*PIECES, ""], marks=[""]), "marks must be in .*; received ''"),
    (dict(marks=["a", "a", "a", "a"]), "marks must be at most 3; received 4"),
    (dict(special=SpecialTokens(0, 2, 0, 4)), "special must have ids .*; received 4"),
    (dict(special=SpecialTokens(0, 2, 0, True)), "special .* 0 and 3; received True"),
    (dict(hidden=[-1]), "hidden must have ids between 0 and 3; received -1"),
    (dict(hidden=3), "hidden must be a list; received '3'"),
    (dict(source_suffix=[1.0]), "source_suffix must have ids .*; received 1.0"),
]


@pytest.mark.parametrize("arguments, message", WRONG)
def test_wrong_vocabularies(arguments, message, monkeypatch):
    monkeypatch.setattr(base, "MOST_MARKS", 3)
    with pytest.raises(ValueError, match=message):
        Vocabulary(**{"pieces": PIECES, "special": SPECIAL, **arguments})
