"""What all formats share: paragraphs, the review, packed files."""

import gzip
import importlib
import sys

import pytest
from shouting import saying, shout, shouted

pytest.importorskip("translate")

from keras_transformer.documents import translate  # noqa: E402
from keras_transformer.documents.formats import FORMATS  # noqa: E402
from keras_transformer.text import opened  # noqa: E402


def test_paragraphs_keep_the_space_between_sentences(tmp_path):
    text = "One line\ngoes on.  Two.\nThree.\r\n\r\n\n  Four.\tFive\n"
    found = shouted(tmp_path, "a.txt", text, kind="paragraphs")
    assert found == "ONE LINE GOES ON.  TWO.\nTHREE.\r\n\r\n\n  FOUR.\tFIVE\n"


def test_sentences_without_space_get_one(tmp_path):
    how = dict(kind="paragraphs", languages=("ja", "en"))
    found = shouted(tmp_path, "a.txt", "犬。猫。\n", saying("A dog."), **how)
    assert found == "A dog. A dog.\n"
    found = shouted(tmp_path, "a.txt", "犬。猫。\n", saying("狗。"), **how)
    assert found == "狗。狗。\n"


def test_the_review_begins_with_what_is_least_certain(tmp_path):
    review = tmp_path / "review.tsv"
    text = "Short.\n\nThis one\tis long. Or not.\n\n42\n"
    shouted(tmp_path, "a.txt", text, kind="paragraphs", review=review)
    assert review.read_text() == (
        "score\tplace\tsource\ttranslation\n"
        "-0.6500\tline 3\tThis one is long. Or not.\tTHIS ONE IS LONG. OR NOT.\n"
        "-0.3500\tline 1\tShort.\tSHORT.\n"
    )


def test_packed_documents(tmp_path):
    data = shouted(tmp_path, "a.md.gz", gzip.compress(b"Text.\n"))
    assert gzip.decompress(data) == b"TEXT.\n"


XLIFF = (
    '<xliff version="1.2"><file source-language="en" target-language="de"><body>'
    "<trans-unit><source>{}</source>{}</trans-unit></body></file></xliff>"
)


@pytest.mark.parametrize(
    "name, text, expected",
    [
        (
            "a.html",
            "<b>a</b>&nbsp;b&thinsp;<i>c</i>",
            "<b>A</b>&nbsp;B&thinsp;<i>C</i>",
        ),
        ("b.html", "a&nbsp<b>b</b>&nbsp;&#160;c d", "A&nbsp<b>B</b>&nbsp;&#160;C D"),
        ("a.md", "a&nbsp;**b**&ensp;c \\&nbsp;", "A&nbsp;**B**&ensp;C \\&NBSP;"),
        ("a.rst", "a &nbsp; *b*\n", "A &NBSP; *B*\n"),
    ],
)
def test_an_entity_of_white_space_stays(tmp_path, name, text, expected):
    assert shouted(tmp_path, name, text) == expected


def test_a_number_of_white_space_stays(tmp_path):
    source = 'A&#160;<g id="1">b</g>&#xA0;c.&#10;Go.&#10;'
    target = 'A&#160;<g id="1">B</g>&#xA0;C.&#10;GO.&#10;'
    found = shouted(tmp_path, "a.xlf", XLIFF.format(source, ""))
    state = ' state="needs-review-translation"'
    assert found == XLIFF.format(source, f"<target{state}>{target}</target>")


def test_a_sentence_is_translated_once(tmp_path):
    asked = []

    def noted(sentences):
        asked.extend(sentences)
        return shout(sentences)

    shouted(tmp_path, "a.md", "One. Two.\n\nOne.\n", noted)
    assert asked == ["One.", "Two."]


def test_no_translation_leaves_the_source(tmp_path):
    said = r"a\.md, line 1: the translation of 'One\.' is empty; the source stays"
    with pytest.warns(UserWarning, match=said):
        assert shouted(tmp_path, "a.md", "- One.\n", saying(" ")) == "- One.\n"


def test_a_document_without_text_stays(tmp_path):
    for ending in FORMATS:
        if FORMATS[ending] not in ("XLIFF", "TMX", "CSV", "TSV", "JSON lines"):
            assert shouted(tmp_path, f"a{ending}", "") == ""


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("a.md", b"\xff", "a.md must be utf-8; line 1 is not: invalid start byte"),
        ("a.md.gz", b"no", "a.md.gz must be a readable file; received Not a gzipped"),
        ("b.md", b"too long", "b.md must have at most 5 bytes; received 'more'"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, data, message, monkeypatch):
    if name == "b.md":
        monkeypatch.setattr(opened, "LARGEST", 5)
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, name, data)


def test_without_the_extra(monkeypatch):
    find = importlib.util.find_spec

    def find_others(name):
        return None if name == "pysbd" else find(name)

    monkeypatch.setattr("importlib.util.find_spec", find_others)
    monkeypatch.delitem(sys.modules, translate.__name__)
    expected = (
        r'^pysbd is not installed: pip install -e "\.\[documents\]" in the clone$'
    )
    with pytest.raises(ImportError, match=expected):
        importlib.import_module(translate.__name__)
