"""What a model copies stays in its sentence; what a translation lacks is said."""

import pytest

from keras_transformer.data.pairs import read_pairs
from keras_transformer.decoding.base_translator import Hypothesis
from keras_transformer.documents.translate import translate_document
from keras_transformer.text.markup import Markup

PO = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"

msgid "See https://a.org/b, and ``x. y`` of it. It is %s."
msgstr ""
"""


def test_markup_is_part_of_its_sentence(tmp_path):
    (tmp_path / "in.po").write_text(PO)
    asked = []

    def translate(sentences):
        asked.extend(sentences)
        return [[Hypothesis(text.upper(), 0.0, ())] for text in sentences]

    files = (tmp_path / "in.po", tmp_path / "out.po")
    markup = Markup(("rst", "python-format"))
    translate_document(*files, translate, markup=markup)
    assert asked == ["See https://a.org/b, and ``x. y`` of it.", "It is %s."]
    asked.clear()
    translate_document(files[0], tmp_path / "plain.po", translate)
    assert asked == ["See", "and ``x. y`` of it.", "It is"]


def test_what_a_translation_lacks_is_said_with_its_place(tmp_path):
    (tmp_path / "in.po").write_text(PO)

    def translate(sentences):
        return [[Hypothesis("so", 0.0, (), lost=("%s",))] for _ in sentences[:-1]] + [
            [Hypothesis("so", 0.0, ())]
        ]

    with pytest.warns(UserWarning, match=r"in\.po, .*: the translation lacks %s"):
        translate_document(tmp_path / "in.po", tmp_path / "out.po", translate)


@pytest.mark.parametrize(
    "name, content",
    [
        (
            "a.tmx",
            '<tmx version="1.4"><header srclang="en"/><body>'
            '<tu><tuv xml:lang="en"><seg>a cat</seg></tuv></tu>'
            '<tu><tuv xml:lang="en"><seg>a dog</seg></tuv>'
            '<tuv xml:lang="de"><seg>ein Hund</seg></tuv></tu></body></tmx>',
        ),
        (
            "a.xlf",
            '<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0" '
            'srcLang="en" trgLang="de"><file id="f"><unit id="1"><segment>'
            '<source>a cat</source></segment></unit><unit id="2"><segment>'
            "<source>a dog</source><target>ein Hund</target></segment></unit>"
            "</file></xliff>",
        ),
    ],
)
def test_what_a_machine_filled_is_no_pair_to_learn_from(tmp_path, name, content):
    (tmp_path / name).write_text(content)

    def translate(sentences):
        return [[Hypothesis(text.upper(), 0.0, ())] for text in sentences]

    out = tmp_path / f"out-{name}"
    translate_document(tmp_path / name, out, translate, languages=("en", "de"))
    assert "A CAT" in out.read_text()
    pairs = read_pairs(out, source_language="en", target_language="de")
    assert [*pairs] == [("a dog", "ein Hund")]
    assert pairs.skipped["fuzzy"] == 1
