import lzma

import pytest

from keras_transformer.text.glossary import Glossary, within_a_sentence
from keras_transformer.text.markup import Markup
from keras_transformer.text.tokenizer import Tokenizer

LINES = ["ein Hund und eine Katze", "der Hund schläft 猫 (C++) a.b", "%s Hunde ein"]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(LINES * 3, vocab_size=60, markup=Markup(("printf",)))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a dog, and DOG", ["dog"]),
        ("dogs, Dog, hotdog, dog_1", []),
        ("a hot dog stand", ["dog stand"]),
        ("(dog)hot dog-cat", ["hot dog", "dog"]),
        ("use C++, not a.b", ["C++", "a.b"]),
        ("axb C+++", ["C++"]),
        ("cafe\u0301 and cafe\u0301s", ["café"]),
        ("この猫は", ["猫"]),
        ("고양이는 새고양이", ["고양이"]),
        ("새고양이", []),
        ("<\u0387m0> m0", ["m0"]),
        ("<\u0387m0>", []),
    ],
)
def test_terms_are_whole_words_and_the_longest_counts(text, expected):
    names = ["dog", "hot dog", "dog stand", "C++", "a.b", "café", "猫", "고양이", "m0"]
    assert Glossary(dict.fromkeys(names, "x")).found_in(text) == expected


def test_a_file_of_terms(tmp_path, tokenizer):
    text = "\ufeffdog\tHund\r\n\r\ndog\tHunde\ndog\tHund\n cat \t Katze \n"
    (tmp_path / "terms.tsv.xz").write_bytes(lzma.compress(text.encode()))
    glossary = Glossary(tmp_path / "terms.tsv.xz")
    assert {source: list(own) for source, own in glossary.targets.items()} == {
        "dog": ["Hund", "Hunde"],
        "cat": ["Katze"],
    }
    ids = glossary.encoded(tokenizer)
    assert tokenizer.decode(ids["dog"]) == ["Hund", "Hunde"]
    assert ids["cat"] == [tuple(tokenizer.encode(["Katze"])[0])]


def test_a_term_is_spelled_as_within_a_sentence(tokenizer):
    pieces = tokenizer.pieces
    assert pieces[within_a_sentence("Hund", tokenizer)[0]].startswith("▁")
    assert pieces[within_a_sentence("猫", tokenizer)[0]] == "猫"


@pytest.mark.parametrize(
    "text, message",
    [
        ("dog\n", r"t.tsv, line 1, must be a source term and a target .*\['dog'\]"),
        ("cat\tKatze\ndog\t \n", "t.tsv, line 2, must be a source term and a target"),
        ("a\tb\tc\n", "t.tsv, line 1, must be a source term and a target term; rec"),
        ("\n", "glossary must have terms; received"),
        ("dog\tXyz\n", "line 1: the target term must be spelled by the vocabulary"),
        ("dog\t%s ein\n", "line 1: a term must have no markup, which the run copies"),
        ("dog\t" + "Hund " * 40 + "\n", "must have at most 32 tokens; received"),
    ],
)
def test_what_is_no_term_is_refused(tmp_path, tokenizer, text, message):
    (tmp_path / "t.tsv").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        Glossary(str(tmp_path / "t.tsv")).encoded(tokenizer)


def test_what_is_no_glossary_is_refused(tmp_path):
    with pytest.raises(ValueError, match="glossary, entry 1 must be a string; rec"):
        Glossary({"dog": ["Hund"]})
    with pytest.raises(ValueError, match="entry 2, must be a source term and a target"):
        Glossary([("a", "b"), "cd"])
    with pytest.raises(ValueError, match="must be a readable text file; received No"):
        Glossary(tmp_path / "none.tsv")
