"""PO: what is filled and marked, and what stays to the byte."""

import io
import shutil
import subprocess

import pytest
from shouting import shout, shouted

pypo = pytest.importorskip("translate.storage.pypo")

RUSSIAN = (
    "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && "
    "(n%100<10 || n%100>=20) ? 1 : 2);"
)
HEADER = r"""# A translator's comment
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: {}\n"
"""
ENTRIES = r"""
#. extracted
#: a.c:1 b.c:2
#, c-format
#| msgid "before"
msgctxt "menu"
msgid "Hello é. See:\n- one\n"
msgstr ""

msgid "a file"
msgid_plural "many files"
msgstr[0] ""
msgstr[1] "given"

msgid "person"
msgstr "Mensch"

#, fuzzy
msgid "unsure"
msgstr "unsicher"

#, fuzzy
#~ msgid "gone"
#~ msgstr "weg"

msgid "A line that is so long that it is put on two lines in the catalogue, twice."
msgstr ""
"""
FILLED = r"""
#. extracted
#: a.c:1 b.c:2
#, fuzzy, c-format
#| msgid "before"
msgctxt "menu"
msgid "Hello é. See:\n- one\n"
msgstr ""
"HELLO É. SEE:\n"
"- ONE\n"

#, fuzzy
msgid "a file"
msgid_plural "many files"
msgstr[0] "A FILE"
msgstr[1] "given"
msgstr[2] "MANY FILES"

msgid "person"
msgstr "Mensch"

#, fuzzy
msgid "unsure"
msgstr "unsicher"

#, fuzzy
#~ msgid "gone"
#~ msgstr "weg"

#, fuzzy
msgid "A line that is so long that it is put on two lines in the catalogue, twice."
msgstr ""
"A LINE THAT IS SO LONG THAT IT IS PUT ON TWO LINES IN THE CATALOGUE, TWICE."
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["UTF-8", "utf-8-sig", "ISO-8859-1"])
def test_only_what_is_empty_is_filled(tmp_path, encoding, line_end):
    def bytes_of(entries):
        text = HEADER.format(RUSSIAN) + entries
        if encoding == "ISO-8859-1":
            text = text.replace("UTF-8", encoding)
        return text.replace("\n", line_end).encode(encoding)

    once = shouted(tmp_path, "a.po", bytes_of(ENTRIES))
    assert once == bytes_of(FILLED)
    assert shouted(tmp_path, "again.po", once) == once
    if encoding == "UTF-8":
        store = pypo.pofile(io.BytesIO(once))
        assert [unit.isfuzzy() for unit in store.units[1:4]] == [True, True, False]


@pytest.mark.skipif(not shutil.which("msgfmt"), reason="gettext is not installed")
def test_gettext_takes_it(tmp_path):
    shouted(tmp_path, "a.po", HEADER.format(RUSSIAN) + ENTRIES)
    command = ["msgfmt", "--check-format", "-o", "/dev/null", "output-a.po"]
    assert subprocess.run(command, cwd=tmp_path).returncode == 0


def test_one_form_for_all_numbers_is_the_plural(tmp_path):
    text = HEADER.format("nplurals=1; plural=0;")
    text += '\nmsgid "a file"\nmsgid_plural "files"\nmsgstr[0] ""\n'
    assert 'msgstr[0] "FILES"\n' in shouted(tmp_path, "a.po", text)


def test_tabs_stay(tmp_path):
    text = HEADER.format("") + '\nmsgid "\\tOpen a file\\t\\tNow"\nmsgstr ""\n'
    found = shouted(tmp_path, "a.po", text)
    assert 'msgstr "\\tOPEN A FILE\\t\\tNOW"\n' in found


@pytest.mark.parametrize("escape", ["a", "x41", "7", "u00e4", "'", "?", "z"])
def test_escapes_that_gettext_has_not_stay(tmp_path, escape):
    text = HEADER.format("") + f'\nmsgid "a \\{escape} b"\nmsgstr ""\n'
    with pytest.warns(UserWarning, match="a.po: 1 entries with unknown escapes stay"):
        assert shouted(tmp_path, "a.po", text) == text


def test_escapes_of_c_stay(tmp_path):
    text = HEADER.format("nplurals=2; plural=(n != 1);")
    text += '\nmsgid "Ring\\a"\nmsgstr ""\n\nmsgid "one"\nmsgid_plural "all"\n'
    text += 'msgstr[0] "\\x1b[1m"\n"eins"\nmsgstr[1] ""\n'
    with pytest.warns(UserWarning, match="a.po: 1 entries with unknown escapes stay"):
        found = shouted(tmp_path, "a.po", text)
    expected = text.replace('msgstr[1] ""', 'msgstr[1] "ALL"')
    assert found == expected.replace('msgid "one"', '#, fuzzy\nmsgid "one"')


def test_the_header_may_be_far_below(tmp_path):
    comment = "# é\n" * 2000
    header = HEADER.format("").replace("UTF-8", "ISO-8859-1")
    text = f'{comment}\n{header}\nmsgid "é, charset=x"\nmsgstr ""\n'
    found = shouted(tmp_path, "a.po", text.encode("latin-1")).decode("latin-1")
    assert 'msgid "é, charset=x"\nmsgstr "É, CHARSET=X"\n' in found


def test_a_template_without_an_encoding_is_utf_8(tmp_path):
    text = HEADER.format("").replace("UTF-8", "CHARSET") + '\nmsgid "é"\nmsgstr ""\n'
    expected = text.replace('msgid "é"\nmsgstr ""', '#, fuzzy\nmsgid "é"\nmsgstr "É"')
    assert shouted(tmp_path, "a.pot", text) == expected


def test_a_comment_may_stand_alone(tmp_path):
    text = '# middle\n\n#, fuzzy\nmsgid "a"\nmsgstr "{}"\n\n# end of file\n'
    text = HEADER.format("") + "\n" + text
    found = shouted(tmp_path, "a.po", text.replace("#, fuzzy\n", "").format(""))
    assert found == text.format("A")


@pytest.mark.parametrize(
    "text, message",
    [
        (HEADER.format("n") + '\nmsgid "a\nmsgstr ""\n', "a.po must be a readable PO"),
        (
            'msgid "a"\nmsgid_plural "b"\nmsgstr[0] ""\n',
            "a.po, line 3, must be under a header with Plural-Forms; received None",
        ),
        (
            HEADER.format("nplurals=2; plural=(n != 1);")
            + '\nmsgid "a"\nmsgid_plural "b"\nmsgstr[0] "c"\nmsgstr[1] ""\n'
            + 'msgstr[2] "d"\n',
            "a.po, line 9, must have no more than the header's 2 forms; received 3",
        ),
        (
            HEADER.format("").replace("\n", "\r") + '\rmsgid "a"\rmsgstr ""\r',
            "a.po must have lines that end in LF or CR LF; received 'CR alone'",
        ),
        (
            HEADER.format("").replace("UTF-8", "UTF-9") + '\nmsgid "a"\nmsgstr ""\n',
            "a.po must name an encoding that Python knows; received 'UTF-9'",
        ),
    ],
)
def test_what_is_no_catalogue_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.po", text)
    assert [path.name for path in tmp_path.iterdir()] == ["a.po"]


def test_a_catalogue_for_another_language_is_refused(tmp_path):
    text = HEADER.format("") + '"Language: es_MX\\n"\n\nmsgid "a"\nmsgstr ""\n'
    assert "A" in shouted(tmp_path, "a.po", text, languages=("en", "es"))
    message = "a.po must have the run's languages, en to de; received .None, 'es_MX'"
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.po", text, languages=("en", "de"))
    text = text.replace("Language: es_MX", "X-Source-Language: fr")
    message = "a.po must have the run's languages, en to de; received .'fr', None"
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.po", text, languages=("en", "de"))


def test_a_character_that_the_encoding_lacks_is_refused(tmp_path):
    text = HEADER.format("").replace("UTF-8", "ASCII") + '\nmsgid "a"\nmsgstr ""\n'

    def accented(sentences):
        for found in shout(sentences):
            yield [found[0].__class__("é", 0.0, ())]

    message = "a.po must have an encoding for its translation; ascii has none for 'é'"
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.po", text, accented)
