"""TMX: a language is added to each unit that lacks it."""

import pytest
from shouting import shouted

pytest.importorskip("translate")

TEXT = """<?xml version="1.0"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en-US" datatype="plaintext"/><body>
  <tu>
    <tuv xml:lang="en-US"><seg>One <bpt i="1">&lt;b></bpt>two<ept i="1"/>.</seg></tuv>
  </tu>
  <tu><tuv xml:lang="en-US"><seg>Old</seg></tuv>{}</tu>
  <tu><tuv xml:lang="en-US"><seg>Two</seg></tuv><tuv lang="de-DE"><seg/></tuv></tu>
</body></tmx>
"""
GERMAN = TEXT.format('<tuv xml:lang="de-DE"><seg>Alt</seg></tuv>')
MARK = '<prop type="x-state">needs-review</prop>'


def test_a_memory(tmp_path):
    seg = '<seg>ONE <bpt i="1">&lt;b></bpt>TWO<ept i="1"/>.</seg>'
    expected = GERMAN.replace(
        ".</seg></tuv>",
        f'.</seg></tuv>\n    <tuv xml:lang="de-DE">{MARK}{seg}</tuv>',
    )
    expected = expected.replace("<seg/>", f"{MARK}<seg>TWO</seg>")
    found = shouted(tmp_path, "a.tmx", GERMAN)
    assert found == expected
    assert shouted(tmp_path, "again.tmx", found) == found


def test_the_run_may_know_the_language(tmp_path):
    text = GERMAN.replace("de-DE", "fr")
    found = shouted(tmp_path, "a.tmx", text, languages=("en_XX", "es_XX"))
    assert found.count('<tuv xml:lang="es-XX">') == 3


@pytest.mark.parametrize(
    "language, written, count",
    [("de_AT", "de-AT", 3), ("de_XX", "de-DE", 2), ("de", "de-DE", 2)],
)
def test_a_region_is_another_language(tmp_path, language, written, count):
    found = shouted(tmp_path, "a.tmx", GERMAN, languages=("en", language))
    assert found.count(MARK) == count
    assert f'<tuv xml:lang="{written}">{MARK}<seg>ONE' in found


@pytest.mark.parametrize(
    "text, message",
    [
        (GERMAN.replace("en-US", "*all*", 1), "a.tmx must say its srclang in its head"),
        (
            GERMAN.replace('"de-DE"><seg>', '"fr"><seg>'),
            r"must have one language beside en-US, .* none; received \['de-DE', 'fr'\]",
        ),
        ("<xliff/>", "a.tmx must have the root <tmx>; received 'xliff'"),
        (GERMAN.replace("<seg/>", ""), "a.tmx, line 8, must have a <seg>; received 't"),
        (GERMAN.replace(' lang="de-DE"', ""), "a.tmx, line 8, must have an xml:lang"),
        (GERMAN.replace("Two", "&nbsp;"), "a.tmx, line 8, must be a readable text; r"),
        (GERMAN.replace("en-US", "fr", 1), "must have texts in its source language, f"),
    ],
)
def test_what_is_no_memory_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.tmx", text)
