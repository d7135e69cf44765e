"""The grammar behind the bundled captions, checked against forms written by hand."""

import random
import sys
from collections import Counter
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import make_captions  # noqa: E402
from captions import lexicon  # noqa: E402
from captions.german import (  # noqa: E402
    ACCUSATIVE,
    DATIVE,
    NOMINATIVE,
    Verb,
    attributive,
    main_clause,
    noun_phrase,
    prepositional,
    subordinate_clause,
)
from captions.grammar import Grammar  # noqa: E402
from captions.phrases import Clause, Phrase  # noqa: E402

NOUNS = lexicon.NOUNS


@pytest.mark.parametrize(
    "noun, case, determiner, adjectives, plural, quantity, expected",
    [
        ("boy", DATIVE, "der", ["klein"], False, "", "dem kleinen Jungen"),
        ("boy", ACCUSATIVE, "ein", ["klein"], False, "", "einen kleinen Jungen"),
        ("boy", NOMINATIVE, "ein", ["müde"], False, "", "ein müder Junge"),
        ("girl", NOMINATIVE, "ein", ["jung"], False, "", "ein junges Mädchen"),
        ("girl", NOMINATIVE, "der", ["jung"], False, "", "das junge Mädchen"),
        ("woman", DATIVE, "ein", ["alt"], False, "", "einer alten Frau"),
        (
            "dog",
            ACCUSATIVE,
            "ein",
            ["klein", "braun"],
            False,
            "",
            "einen kleinen braunen Hund",
        ),
        ("coat", DATIVE, "", ["rot"], True, "", "roten Mänteln"),
        ("coat", ACCUSATIVE, "", ["rot"], True, "", "rote Mäntel"),
        ("car", DATIVE, "", ["neu"], True, "zwei", "zwei neuen Autos"),
        ("child", DATIVE, "", ["groß"], True, "einige", "einigen großen Kindern"),
        ("child", NOMINATIVE, "", ["groß"], True, "viele", "viele große Kinder"),
        ("child", NOMINATIVE, "der", ["groß"], True, "", "die großen Kinder"),
        ("farmer", DATIVE, "der", [], False, "", "dem Bauern"),
        (
            "elephant",
            ACCUSATIVE,
            "ein",
            ["hungrig"],
            False,
            "",
            "einen hungrigen Elefanten",
        ),
        ("forest", DATIVE, "der", ["dunkel"], False, "", "dem dunklen Wald"),
        ("tea", ACCUSATIVE, "ein", ["heiß"], False, "", "einen heißen Tee"),
    ],
)
def test_noun_phrases(noun, case, determiner, adjectives, plural, quantity, expected):
    assert (
        noun_phrase(NOUNS[noun].german, case, determiner, adjectives, plural, quantity)
        == expected
    )


def test_stems_and_contractions():
    assert [
        attributive(word) for word in ("dunkel", "teuer", "hoch", "müde", "sauber")
    ] == [*("dunkl", "teur", "hoh", "müd", "sauber")]
    assert prepositional("in", "dem alten Park") == "im alten Park"
    assert prepositional("zu", "der Schule") == "zur Schule"
    assert prepositional("in", "das Haus") == "ins Haus"
    assert prepositional("auf", "der Bank") == "auf der Bank"


def test_places_of_the_verb():
    rest = Verb("ruht", "ruhen", "aus", reflexive=True)
    assert (
        main_clause(rest, False, "ein Mann", "im Park")
        == "ein Mann ruht sich im Park aus"
    )
    assert (
        main_clause(rest, False, "ein Mann", "", "im Park")
        == "im Park ruht sich ein Mann aus"
    )
    assert (
        subordinate_clause(rest, True, "während", "sie", "im Park")
        == "während sich sie im Park ausruhen"
    )
    assert Verb("hebt", "heben", "auf").with_zu() == "aufzuheben"
    assert Verb("fängt", "fangen").with_zu() == "zu fangen"


@pytest.mark.parametrize(
    "noun, plural, expected",
    [
        ("woman", False, "die auf einer Bank sitzt"),
        ("man", False, "der auf einer Bank sitzt"),
        ("child", False, "das auf einer Bank sitzt"),
        ("man", True, "die auf einer Bank sitzen"),
    ],
)
def test_relative_clauses(noun, plural, expected):
    slots = {"place": ("on a bench", "auf einer Bank")}
    clause = Clause(
        Phrase(NOUNS[noun], plural=plural),
        "sitting",
        "sit",
        Verb("sitzt", "sitzen"),
        slots,
    )
    assert clause.relative() == expected


def test_english_articles():
    word = NOUNS["coat"]
    assert Phrase(word, "a", (("old", "alt"),)).english() == "an old coat"
    assert Phrase(NOUNS["apple"], "a").english() == "an apple"
    assert (
        Phrase(word, "", (("red", "rot"),), True, ("two", "zwei")).english()
        == "two red coats"
    )


def test_every_pattern():
    grammar = Grammar(random.Random(0))
    for pattern, _ in grammar.patterns:
        for _ in range(200):
            for text in pattern():
                assert (
                    text == " ".join(text.split())
                    and "PRONOUN" not in text
                    and "  " not in text
                )


@pytest.fixture(scope="module")
def splits():
    return make_captions.draw(seed=1)


def test_shipped_corpus_is_the_one_the_tool_writes(splits, tmp_path):
    for folder in ("one", "two"):
        make_captions.write(tmp_path / folder, splits)
    shipped = sorted(make_captions.FOLDER.glob("*.gz"))
    assert (
        len(shipped) == 6 and sum(path.stat().st_size for path in shipped) < 1_000_000
    )
    for path in shipped:
        assert (tmp_path / "one" / path.name).read_bytes() == (
            tmp_path / "two" / path.name
        ).read_bytes()
        assert (tmp_path / "one" / path.name).read_bytes() == path.read_bytes()


def test_splits_are_disjoint_and_distinct(splits):
    assert {split: len(pairs) for split, pairs in splits.items()} == {
        "test": 500,
        "valid": 500,
        "train": 12000,
    }
    for side in range(2):
        sentences = [pair[side] for pairs in splits.values() for pair in pairs]
        assert len(set(sentences)) == len(sentences) == 13000


def test_every_word_of_the_test_set_is_frequent_in_training(splits):
    counts = Counter(
        word for pair in splits["train"] for word in make_captions.words(pair)
    )
    for split in ("test", "valid"):
        assert (
            min(
                counts[word]
                for pair in splits[split]
                for word in make_captions.words(pair)
            )
            >= 5
        )
