"""The rule of normalisation, in Python and in the models that SentencePiece trains."""

import itertools
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_transformer.text.normalization import (
    CHARACTERS,
    RESERVED,
    WHITE,
    compose,
    decompose,
    has_text,
    normalize,
    rule,
)

SENTENCES = [
    "Größe, Ünïcödé, ậ ế ự",  # German, Vietnamese
    "o\u0323\u0301 e\u0323\u0300",  # Yoruba
    "한국어 문장",
    "ガラスのコップ",
    "שָׁלוֹם עֲלֵיכֶם",
    "مُحَمَّد رَسُولٌ",
    "क़लम ড়",
    "½ ﬁ … №",  # which NFKC would replace
]


@pytest.mark.parametrize("text", SENTENCES)
def test_composed_and_decomposed_text_are_one(text):
    expected = compose(text)
    assert normalize(expected) == expected
    assert normalize(decompose(text)) == expected


def test_every_character_and_every_two_marks_are_composed():
    composed = [c for c in CHARACTERS if decompose(c) != c and c not in WHITE]
    assert len(composed) > 13_000
    wrong = [c for c in composed if normalize(decompose(c)) != compose(c)]
    assert not wrong
    marks = "\u0300\u0301\u0302\u0308\u030a\u031b\u0323\u0327\u0328\u0331"
    points = "\u05b0\u05b8\u05bc\u05c1\u05c2"
    vowels = "\u064b\u064e\u0651\u0653\u0654\u0655"
    for letters, own in (("aeokqxzŋ", marks), ("שבו", points), ("بايو", vowels)):
        for letter, *pair in itertools.product(letters, own, own):
            text = letter + "".join(pair)
            for typed in (text, compose(text[:2]) + text[2]):
                assert normalize(typed) == compose(text), ascii(typed)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("10\u00a0%\tof\u2028it\u2029is\u3000so\x85here\x0band\x1cthere", None),
        ("  a\u2009\u202f\u2800 man \r\n", "a man"),
        (
            "sol\u00addier\u200b \ufeffa\u2060b\u180e\u200e\u202ec\x01\x00",
            "soldier abc",
        ),
        ("می\u200cخواهم 👩\u200d🚀 ❤\ufe0f", "می\u200cخواهم 👩\u200d🚀 ❤\ufe0f"),
        ("</s> <unk> <0x41>", "</s> <unk> <0x41>"),
    ],
)
def test_white_space_and_invisible_characters(text, expected):
    assert normalize(text) == (expected or "10 % of it is so here and there")


def test_an_empty_line_has_nothing_to_be_seen():
    for (
        hidden
    ) in "\0\x7f\xad\u034f\u115f\u180e\u200b\u200d\u2060\u2800\u3164\ufe0f\ufeff":
        assert not has_text(f" {hidden}\t{hidden}{hidden}")
        assert has_text(f"{hidden}.")
    assert not has_text("")
    assert not has_text("\u2581 \U000e0041")
    for visible in ("a", "0", "\u0301", "\u2047", "\u2585", "\ufffd", "\ue000", "👩"):
        assert has_text(visible)


def test_what_the_rule_takes_away_is_invisible():
    gone = [text for text, left in rule().Decompile() if left == ""]
    assert {"\xad", "\u200b", "\u2060", "\ufeff", "\u180e"} < set(gone)
    assert not any(map(has_text, gone))
    assert all(unicodedata.category(text) in ("Cc", "Cf") for text in gone)
    assert not set(gone) & {"\u200c", "\u200d", *RESERVED}


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Mn"]), max_size=30))
def test_normalising_twice_is_normalising_once(text):
    once = normalize(text)
    assert normalize(once) == once == once.strip()
    assert unicodedata.is_normalized("NFC", once)
