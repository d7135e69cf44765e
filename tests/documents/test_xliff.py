"""XLIFF 1.2 and 2: targets, states, markup, and what stays to the byte."""

import pytest
from shouting import saying, shouted

xliff = pytest.importorskip("translate.storage.xliff")

OLD = """<?xml version='1.0' encoding="UTF-8"?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
 <!-- kept --><file source-language="en" target-language="de" original="x"><body>
  <group translate="no"><trans-unit id="n"><source>No</source></trans-unit></group>
  <trans-unit id="1">
    <source>A <g id="1">big</g> dog &amp; <ph id="2">{x}</ph> cat. Bye.</source>
    <note>kept</note>
  </trans-unit>
  <trans-unit id="2"><source>Old</source><target state="final">Alt</target></trans-unit>
  <trans-unit id="3"><source>By</source><target>By</target></trans-unit>
  <trans-unit id="4"><source>C</source><target state='new' a="b">C</target></trans-unit>
  <trans-unit id="5"><source>&#233;t</source><target/></trans-unit>
  <trans-unit id="7"><source>D. E.</source>
    <seg-source><mrk mtype="seg" mid="0">D.</mrk> <mrk mtype="seg" mid="1">E.</mrk>
    </seg-source>
    <target><mrk mtype="seg" mid="0"/><mrk mtype="seg" mid="1"/></target></trans-unit>
  <trans-unit id="6"><source><![CDATA[T & <b>J]]></source></trans-unit>
 </body></file>
</xliff>
"""
STATE = ' state="needs-review-translation"'
CHANGES = [
    (
        "Bye.</source>",
        f"""Bye.</source>
    <target{STATE}>A <g id="1">BIG</g> DOG &amp; <ph id="2">{{x}}</ph> CAT. """
        "BYE.</target>",
    ),
    ("""<target state='new' a="b">C<""", f"""<target a="b"{STATE}>C<"""),
    ("<target/>", f"<target{STATE}>ÉT</target>"),
    (
        '<target><mrk mtype="seg" mid="0"/><mrk mtype="seg" mid="1"/></target>',
        f'<target{STATE}><mrk mtype="seg" mid="0">D.</mrk> '
        '<mrk mtype="seg" mid="1">E.</mrk>\n    </target>',
    ),
    ("J]]></source>", f"J]]></source><target{STATE}>T &amp; &lt;B&gt;J</target>"),
]
NEW = """<xliff version="2.0" srcLang="en"
  xmlns="urn:oasis:names:tc:xliff:document:2.0">
 <file id="f1"><unit id="1">
  <segment id="s1"><source>Hello <pc id="1">you</pc>.</source></segment>
  <segment state="final"><source>Old</source><target>Alt</target></segment>
  <segment state="initial"><source>New</source><target>New</target></segment>
 </unit></file>
</xliff>
"""


def test_version_1(tmp_path):
    expected = OLD
    for before, after in CHANGES:
        assert before in expected
        expected = expected.replace(before, after)
    found = shouted(tmp_path, "a.xlf", OLD)
    assert found == expected
    assert shouted(tmp_path, "again.xlf", found) == found
    store = xliff.Xliff1File.parsestring(found.encode())
    asked = [unit.target for unit in store.units if unit.isreview()]
    assert asked == ["A BIG DOG & {x} CAT. BYE.", "C", "ÉT", "D. E.", "T & <B>J"]


def test_a_target_that_is_half_empty_stays_with_a_warning(tmp_path):
    half = (
        '<target><mrk mtype="seg" mid="0">Eins</mrk><mrk mtype="seg" mid="1"/></target>'
    )
    text = OLD.replace(CHANGES[3][0], half)
    with pytest.warns(UserWarning, match="line 16: a target that is half empty stays"):
        assert half in shouted(tmp_path, "a.sdlxliff", text)


def test_version_2(tmp_path):
    review = ' state="translated" subState="mt:needs-review"'
    expected = NEW.replace("<xliff", '<xliff trgLang="de"')
    expected = expected.replace('"s1">', f'"s1"{review}>')
    target = '<target>HELLO <pc id="1">YOU</pc>.</target>'
    expected = expected.replace("</pc>.</source>", f"</pc>.</source>{target}")
    expected = expected.replace(' state="initial"', review)
    expected = expected.replace("<target>New", "<target>NEW")
    found = shouted(tmp_path, "a.xliff", NEW, languages=("en", "de"))
    assert found == expected
    assert shouted(tmp_path, "again.xliff", found) == found


def test_tabs_stay(tmp_path):
    found = shouted(tmp_path, "a.xlf", OLD.replace("T & <b>J", "Open\tNow"))
    assert ">OPEN\tNOW</target>" in found


def test_other_encodings(tmp_path):
    text = OLD.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    found = shouted(tmp_path, "a.xlf", text, saying("Žluť"))
    assert f"<target{STATE}>&#381;lu&#357;</target>".encode() in found
    wide = OLD.replace("UTF-8", "UTF-16").encode("utf-16")
    assert "BIG" in shouted(tmp_path, "b.xlf", wide).decode("utf-16")


@pytest.mark.parametrize(
    "text, message",
    [
        (OLD.replace("</file>", ""), "a.xlf must be a readable XML file; received mis"),
        (
            f"<!DOCTYPE x [<!ENTITY a 'b'>]>{NEW}",
            "a.xlf must be a readable XML .*it must declare no entities; received 'a'",
        ),
        ("<tmx/>", "a.xlf must have the root <xliff>; received 'tmx'"),
        (NEW, "a.xlf must say trgLang, the language to translate into; received"),
    ],
)
def test_what_is_no_xliff_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.xlf", text)
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlf"]


def test_a_file_for_other_languages_is_refused(tmp_path):
    message = "a.xlf must have the run's languages, en to es; received .'en', 'de'."
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.xlf", OLD, languages=("en", "es"))
