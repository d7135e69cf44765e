"""Files that are damaged, mistaken or hostile: one clear error, and nothing else."""

import gzip
import re
import zipfile

import pytest
from pair_files import (
    PAIRS,
    PO,
    TEXTS,
    TMX,
    csv,
    lines,
    moses,
    side,
    tarred,
    write,
    zipped,
)

from keras_transformer.data.pairs import read_pairs

pytest.importorskip("translate")
EN_ES = dict(source_language="en", target_language="es")
BOMB = """<!DOCTYPE tmx [<!ENTITY a "boom"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<tmx version="1.4"><header srclang="en"/><body><tu><tuv xml:lang="en"><seg>&b;</seg>
</tuv><tuv xml:lang="es"><seg>x</seg></tuv></tu></body></tmx>"""
OUTSIDE = BOMB.replace(
    '<!ENTITY a "boom"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">',
    '<!ENTITY b SYSTEM "file:///etc/passwd">',
)


@pytest.mark.parametrize(
    "name, text, options, message",
    [
        ("a.tmx", BOMB, {}, r"must declare no XML entities; received \['a', 'b'\]"),
        ("a.tmx", OUTSIDE, {}, r"must declare no XML entities; received \['b'\]"),
        ("a.tmx", TMX[:-30], {}, r"a\.tmx must be a readable XML file; received "),
        ("a.tmx", "<x/>", {}, "an XML file with header or tu; received 'one without'"),
        ("a.xlf", "no XML", {}, r"a\.xlf must be a readable XML file"),
        ("a.tmx", TMX, dict(source_language="en", target_language="de"),
         r"must be among those of .*a\.tmx: en-US, es, fr; received \('en', 'de'\)"),
        ("a.po", PO, dict(source_language="en", target_language="fr"),
         r"must be among those of .*a\.po: es; received \('en', 'fr'\)"),
        ("a.jsonl", '{"en": "x", "en-US": "y"}\n',
         dict(source_language="en", target_language="fr"),
         r"must be among those of .*a\.jsonl: en, en-US; received \('en', 'fr'\)"),
        ("a.tmx", TMX.replace('"en-US"/', '"*all*"/'), {},
         r"target_language must be given: .*a\.tmx has en-US, es; received"),
        ("a.jsonl", TEXTS["wmt.jsonl"], {}, "must be given: .* has en, es; received"),
        ("a.csv", csv([("id", "a", "b"), ("1", "x", "y")]), {},
         r"columns must be given, two of those of .*a\.csv: 1, 2, 3; received None"),
        ("a.jsonl", '{"a": "x", "b": "y"}\n', {},
         r"columns must be given, two of those of .*a\.jsonl: a, b; received None"),
        ("a.jsonl", '{"a": "x", "b": {"c": "y"}}\n', dict(columns=["a", "e"]),
         r"columns must be among those of .*a\.jsonl: a, b\.c; received 'e'"),
        ("a.tsv", lines([("english", "es"), ("a", "b")]), dict(columns=("en", "es")),
         r"columns must be among those of .*a\.tsv: english, es; received 'en'"),
        ("a.tsv", lines([("en", "es"), ("a", "b")]), {},
         r"columns must be given, two of those of .*a\.tsv: en, es; received None"),
        ("a.csv", csv([("EN", "zh-Hant"), ("a", "b")]), {},
         r"two of those of .*a\.csv: EN, zh-Hant; received None"),
        ("a.csv", csv([("en-US", "es-419"), ("a", "b")]), {},
         r"two of those of .*a\.csv: en-US, es-419; received None"),
        ("a.jsonl", '{"en": "x", "spa": "y"}\n', EN_ES,
         r"columns must be given, two of those of .*a\.jsonl: en, spa; received None"),
        ("a.tsv", lines([("a", "b"), ("c", "d", "e")]), {},
         r"a\.tsv, line 2, must have two columns; received 3"),
        ("a.tsv", "a\tb\n\n\nc\n", {},
         r"a\.tsv, line 4, must have two columns; received 1"),
        ("a.csv", 'sep=;\n"a\nb";c\n\nd\n', {},
         r"a\.csv, line 5, must have two columns; received 1"),
        ("a.tsv", lines([("a", "b", "c"), ("c", "d")]), dict(columns=[1, 2]),
         r"a\.tsv, line 2, must have 3 columns as the first; received 2"),
        ("a.jsonl", '{"source": "a"\n', {}, r"a\.jsonl, line 1, must be JSON; rec"),
        ("a.jsonl", "3\n", {}, r"a\.jsonl, line 1, must be an object; received 3"),
        ("a.jsonl", '{"source": "a", "target": "\\ud800"}\n', {},
         r"a\.jsonl, row 1, column target, must be text without lone surrogates; rec"),
        ("a.json", "[3]", {}, r"a\.json, row 1, must be an object; received 3"),
        ("a.csv", b"source,target\n\xff,b\n", {}, "must be a readable CSV file in U"),
        ("a.po", "# nothing\n", {}, r"a\.po must contain sentences; received 0"),
        ("a.po", b'msgid "\xff"\nmsgstr "a"\n', {}, "must be a readable PO file"),
        ("a.ts", "<TS", {}, r"a\.ts must be a readable \.ts file; received"),
        ("a.tmx", "", {}, r"a\.tmx must be a readable XML file"),
        ("a.csv", "", {}, r"a\.csv must contain sentences; received 0"),
        ("a.jsonl", "", {}, r"a\.jsonl must contain sentences; received 0"),
        ("a.zip", "no zip", {}, r"a\.zip must be a readable archive; received File is"),
        ("a.tar", "no tar", {}, r"a\.tar must be a readable archive; received"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path, name, text, options, message):
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / name).write_bytes(content)
    before = {*tmp_path.iterdir()}
    with pytest.raises(ValueError, match=message):
        list(read_pairs(tmp_path / name, **options))
    assert {*tmp_path.iterdir()} == before


def test_bad_arguments(tmp_path):
    path = write(tmp_path / "a.tsv", TEXTS["plain.tsv"])
    for options, message in (
        (dict(columns="en"), r"columns must be two names; received \('en',\)"),
        (dict(source_language="en", target_language="en"), "must be two languages"),
    ):
        with pytest.raises(ValueError, match=message):
            read_pairs(path, **options)
    with pytest.raises(ValueError, match="source must be a file or a folder that ex"):
        read_pairs(tmp_path / "absent")
    pairs = read_pairs(path)
    assert read_pairs(pairs) is pairs
    with pytest.raises(ValueError, match="source must be given alone where it is read"):
        read_pairs(pairs, source_language="en")


@pytest.mark.parametrize("make", [zipped, tarred])
def test_members_cannot_escape(tmp_path, make):
    inner = tmp_path / "inner"
    inner.mkdir()
    path = inner / ("a.zip" if make is zipped else "a.tar")
    for name in ("../out.tsv", str(tmp_path / "out.tsv")):
        make(path, {name: TEXTS["plain.tsv"]})
        with pytest.raises(ValueError, match="must hold names inside of it; received"):
            list(read_pairs(path))
    assert not (tmp_path / "out.tsv").exists()


def test_bombs_are_refused_by_size(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_transformer.text.opened.UNPACKED", 1 << 20)
    row = "a\tb\n" * (1 << 19)
    write(tmp_path / "a.tsv.gz", row)
    zipped(tmp_path / "a.zip", {"a.tsv": row})
    tarred(tmp_path / "a.tar.xz", {"a.tsv": row})
    for path in tmp_path.iterdir():
        message = rf"{re.escape(path.name)} must unpack to at most 1,048,576 bytes"
        with pytest.raises(ValueError, match=message):
            list(read_pairs(path))


@pytest.mark.parametrize("name", ["a.json.gz", "a.mo.gz", "a.txt.gz"])
def test_a_packed_file_that_is_cut_off(tmp_path, name):
    packed = gzip.compress(b'[{"source": "a", "target": "b"}]')
    (tmp_path / name).write_bytes(packed[:-10])
    message = rf"{re.escape(name)} must be a readable .*file; received Compressed"
    with pytest.raises(ValueError, match=message):
        list(read_pairs(tmp_path / name))


def test_a_list_may_be_one_long_line(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_transformer.text.lines.LONGEST_LINE", 9)
    path = write(tmp_path / "a.json", ' \n [{"source": "a", "target": "b"}]')
    assert list(read_pairs(path)) == [("a", "b")]


def test_a_locked_zip_file(tmp_path):
    path = zipped(tmp_path / "a.zip", moses())
    content = bytearray(path.read_bytes())
    for sign in (b"PK\x03\x04", b"PK\x01\x02"):
        place = content.find(sign)
        content[place + (6 if sign[3] == 4 else 8)] |= 1  # encrypted
    path.write_bytes(content)
    assert zipfile.is_zipfile(path)
    with pytest.raises(ValueError, match="readable archive; received .*encrypted"):
        list(read_pairs(path, **EN_ES))


def test_errors_name_the_member(tmp_path):
    members = moses() | {"Books.en-es.en": side(0) + "one more\n"}
    path = zipped(tmp_path / "a.zip", members)
    message = r"a\.zip, Books\.en-es\.en and .*a\.zip, Books.* as many lines; rec"
    with pytest.raises(ValueError, match=message):
        list(read_pairs(path, **EN_ES))


OTHERS = {
    "index.ts": ("let a: Map<TS>\n", r"be a readable \.ts file"),
    "package.json": ('{\n "name": "x"\n}\n', "must be JSON"),
    "small.json": ('{"name": "x", "version": "1"}', "columns must be given"),
    "notes.txt": ("a\tb\nc\n", "line 2, must have two columns"),
    "a.mo": ("x", r"be a readable \.mo file"),
}


def test_other_files_of_a_folder_are_counted(tmp_path):
    write(tmp_path / "a.po", PO)
    for name, (text, message) in OTHERS.items():
        path = write(tmp_path / name, text)
        with pytest.raises(ValueError, match=message):
            list(read_pairs(path, **EN_ES))
    zipped(tmp_path / "a.zip", {name: text for name, (text, _) in OTHERS.items()})
    (tmp_path / "a.mo").with_suffix(".gmo").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"a\.zip, a\.mo must be a readable"):
        list(read_pairs(tmp_path, **EN_ES))
    (tmp_path / "a.zip").unlink()
    pairs = read_pairs(tmp_path, **EN_ES)
    assert list(pairs) == PAIRS
    assert pairs.skipped["other files"] == len(OTHERS) + 1


def test_a_side_without_its_partner(tmp_path):
    write(tmp_path / "a.en", side(0))
    write(tmp_path / "b.es", side(1))
    with pytest.raises(ValueError, match=r"sentences; received {'other files': 2}"):
        list(read_pairs(tmp_path, **EN_ES))
