"""What a model copies stays in its sentence; what a translation lacks is said."""

import pytest
from layer_checks import ON_TORCH

from keras_transformer.decoding.base_translator import Hypothesis
from keras_transformer.documents.translate import translate_document
from keras_transformer.text.markup import Markup

pytestmark = ON_TORCH
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
    assert asked == ["See", "and ``x. y`` of it.", "It is %s."]


def test_what_a_translation_lacks_is_said_with_its_place(tmp_path):
    (tmp_path / "in.po").write_text(PO)

    def translate(sentences):
        return [[Hypothesis("so", 0.0, (), lost=("%s",))] for _ in sentences[:-1]] + [
            [Hypothesis("so", 0.0, ())]
        ]

    with pytest.warns(UserWarning, match=r"in\.po, .*: the translation lacks %s"):
        translate_document(tmp_path / "in.po", tmp_path / "out.po", translate)
