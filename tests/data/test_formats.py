"""Every format gives the pairs that it holds, and counts what is none."""

import bz2
import lzma
import shutil
import subprocess

import pytest
from pair_files import (
    PAIRS,
    PO,
    SWAPPED,
    TEXTS,
    TMX,
    XLIFF,
    XLIFF_2,
    csv,
    json_lines,
    lines,
    moses,
    side,
    tarred,
    translations,
    write,
    zipped,
)

from keras_transformer.data.pairs import read_pairs

pytest.importorskip("translate")
EN_ES = dict(source_language="en", target_language="es")
ES_EN = dict(source_language="es", target_language="en")


def skipped(pairs):
    return {reason: count for reason, count in pairs.skipped.items() if count}


@pytest.mark.parametrize("name", TEXTS)
def test_each_format(tmp_path, name):
    path = write(tmp_path / name, TEXTS[name])
    pairs = read_pairs(path, **EN_ES)
    assert list(pairs) == PAIRS
    assert list(pairs) == PAIRS  # again
    assert pairs.languages == ["en", "es"]


@pytest.mark.parametrize(
    "name",
    ["a.po", "a.tmx", "a.xlf", "b.xliff", "a.tbx", "a.ts", "languages.csv",
     "separator.csv", "wmt.jsonl"],
)  # fmt: skip
def test_either_direction(tmp_path, name):
    path = write(tmp_path / name, TEXTS[name])
    assert list(read_pairs(path, **ES_EN)) == SWAPPED


@pytest.mark.parametrize(
    "name, text, reasons",
    [
        ("a.po", PO, dict(fuzzy=1, untranslated=2, obsolete=1)),
        ("a.tmx", TMX, {"other languages": 1, "alternative segments": 1}),
        ("a.xlf", XLIFF, {"fuzzy": 1, "untranslated": 1, "alternative segments": 1}),
        ("b.xlf", XLIFF_2, dict(fuzzy=1, untranslated=1)),
        ("a.tbx", TEXTS["a.tbx"], {"alternative segments": 1, "untranslated": 1}),
        ("a.tsv", lines([*PAIRS, ("", "x")]), dict(untranslated=1)),
        ("b.jsonl", json_lines([{"en": "a"}, {"translation": None}, *translations()]),
         dict(untranslated=2)),
        ("a.jsonl", json_lines([{"source": "a", "target": None}]) + json_lines(
            [{"source": s, "target": t} for s, t in PAIRS]), dict(untranslated=1)),
    ],
)  # fmt: skip
def test_what_is_no_pair_is_counted(tmp_path, name, text, reasons):
    pairs = read_pairs(write(tmp_path / name, text), **EN_ES)
    assert list(pairs) == PAIRS
    assert skipped(pairs) == reasons


@pytest.mark.parametrize(
    "name", ["a.po", "a.tmx", "a.xlf", "a.tbx", "a.ts", "plain.tsv"]
)
def test_what_says_its_languages_needs_no_flag(tmp_path, name):
    pairs = read_pairs(write(tmp_path / name, TEXTS[name]))
    assert list(pairs) == PAIRS
    known = dict.fromkeys(["a.tmx", "a.xlf"], ["en-US", "es"])
    known |= dict.fromkeys(["a.tbx", "a.ts"], ["en", "es"])
    assert pairs.languages == known.get(name)


def test_srclang_may_have_another_region_in_the_next_file(tmp_path):
    alone = '<tu><tuv xml:lang="en-US"><seg>Dog</seg></tuv></tu>'
    first = write(tmp_path / "a.tmx", TMX.replace("<body>", f"<body>{alone}"))
    text = TMX.replace("en-US", "en").replace('"es"', '"es-ES"')
    second = write(tmp_path / "b.tmx", text)
    for files in ([first, second], [second, first]):
        pairs = read_pairs(files)
        assert list(pairs) == PAIRS * 2
        assert skipped(pairs)["untranslated"] == 1


def test_segments_of_a_unit_of_xliff(tmp_path):
    halves = """<trans-unit id="1"><source>A red cat sleeps. A dog.</source>
<seg-source><mrk mtype="seg" mid="1">A red cat sleeps.</mrk>
<g id="1"><mrk mtype="seg" mid="2">A dog.</mrk></g></seg-source>
<target><mrk mtype="seg" mid="2"/><mrk mtype="seg" mid="1">Un gato rojo duerme.</mrk>
</target></trans-unit><group translate="no">"""
    start = XLIFF.index("<trans-unit")
    text = XLIFF[:start] + halves + XLIFF[start:].replace("<group>", "")
    pairs = read_pairs(write(tmp_path / "a.sdlxliff", text))
    assert list(pairs) == PAIRS
    assert skipped(pairs)["untranslated"] == 1
    assert skipped(pairs)["not to be translated"] == 3


def test_the_order_of_targets_pairs_nothing_anew(tmp_path):
    text = XLIFF_2.replace("<target>Un", '<target order="2">Un')
    text = text.replace("<target>Nieve", '<target order="1">Nieve')
    assert list(read_pairs(write(tmp_path / "a.xlf", text))) == PAIRS


def test_a_wrong_header_does_not_name_the_languages(tmp_path):
    for name, language in dict(a="en_GB", b="es_AR", c="es", d="es").items():
        text = PO.replace("Language: es", f"Language: {language}")
        assert f"Language: {language}" in text
        write(tmp_path / f"{name}.po", text)
    paths = sorted(tmp_path.glob("*.po"))
    for ordered in (paths, paths[::-1]):
        pairs = read_pairs([str(path) for path in ordered])
        assert len(list(pairs)) == 4 * len(PAIRS)
        assert pairs.languages == ["en", "es"]


def test_catalogues_of_several_languages_are_asked_about(tmp_path):
    for language in ("es", "fr", "de"):
        folder = tmp_path / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        write(folder / "x.po", PO.replace("Language: es", f"Language: {language}"))
    message = "source_language and target_language must be given: .* has de, es, fr"
    with pytest.raises(ValueError, match=message):
        list(read_pairs(tmp_path))
    assert list(read_pairs(tmp_path, **EN_ES)) == PAIRS


@pytest.mark.parametrize("place", ["{}/LC_MESSAGES/x.po", "{}.po", "po/{}.po"])
def test_a_catalogue_without_a_language_has_that_of_its_place(tmp_path, place):
    for language in ("es", "fr"):
        path = tmp_path / place.format(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, PO.replace("Language: es", "Language: "))
    assert list(read_pairs(tmp_path, **EN_ES)) == PAIRS
    assert list(read_pairs(tmp_path, **ES_EN)) == [pair[::-1] for pair in PAIRS]


def test_a_blank_line_below_a_flag_ends_nothing(tmp_path):
    text = PO + '\n#, fuzzy\n\nmsgid "C"\nmsgstr "D"\n'
    pairs = read_pairs(write(tmp_path / "a.po", text))
    assert list(pairs) == PAIRS


def test_languages_that_the_names_swap_are_refused(tmp_path):
    paths = [write(tmp_path / f"a.{code}", "x\n") for code in ("en", "es")]
    assert list(read_pairs(*paths, **EN_ES)) == [("x", "x")]
    with pytest.raises(ValueError, match="must be those of the files' names, en and"):
        read_pairs(*paths, **ES_EN)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["a.po", "a.tmx", "languages.csv", "plain.tsv"])
def test_byte_order_marks(tmp_path, name, encoding):
    text = TEXTS[name].replace('encoding="UTF-8"', "")
    text = text.replace("charset=UTF-8", f"charset={encoding}")
    path = write(tmp_path / name, text, encoding)
    assert list(read_pairs(path, **EN_ES)) == PAIRS


def test_a_po_file_of_another_encoding(tmp_path):
    text = PO.replace("charset=UTF-8", "charset=ISO-8859-1")
    for comment in ("", "# é\n\n"):
        path = write(tmp_path / "a.po", comment + text, "latin-1")
        assert list(read_pairs(path)) == PAIRS


@pytest.mark.parametrize("name", ["a.po", "languages.csv", "plain.tsv", "wmt.jsonl"])
def test_ends_of_lines(tmp_path, name):
    path = write(tmp_path / name, TEXTS[name], newline="\r\n")
    assert list(read_pairs(path, **EN_ES)) == PAIRS


def test_plurals_are_pairs(tmp_path):
    text = PO.replace('msgstr[1] ""', 'msgstr[1] "Dijeron."\nmsgstr[2] "Dijeron."')
    pairs = read_pairs(write(tmp_path / "a.po", text))
    assert list(pairs) == [*PAIRS, ("They said.", "Dijeron.")]
    assert skipped(pairs)["alternative segments"] == 1


@pytest.mark.parametrize(
    "rule, forms",
    [
        ("nplurals=2; plural=(n != 1);", {"a file": 0, "files": 1}),
        ("nplurals=4; plural=n==1 ? 1 : n==2 ? 2 : n==3 ? 3 : 0;",
         {"a file": 1, "files": 3}),
        ("nplurals=1; plural=0;", {"files": 0}),
        ("nplurals=INTEGER; plural=EXPRESSION;", {"a file": 0, "files": 1}),
        ("nplurals=2; plural=n%0;", {"a file": 0, "files": 1}),
    ],
)  # fmt: skip
def test_plurals_follow_the_header(tmp_path, rule, forms):
    count = 1 + max(forms.values())
    text = f'msgid ""\nmsgstr "Plural-Forms: {rule}\\n"\n\nmsgid "a file"\n'
    text += 'msgid_plural "files"\n'
    text += "".join(f'msgstr[{number}] "{number}"\n' for number in range(count))
    path = write(tmp_path / "a.po", text)
    expected = [(text, str(form)) for text, form in forms.items()]
    assert list(read_pairs(path)) == expected
    if "EXP" not in rule and "%0" not in rule and shutil.which("msgfmt"):
        compiled = tmp_path / "a.mo"
        subprocess.run(["msgfmt", "-o", compiled, path], check=True)
        assert list(read_pairs(compiled)) == expected


def test_escapes_that_are_not_read_are_counted(tmp_path):
    text = PO + '\nmsgid "Ring\\a"\nmsgstr "x"\n\nmsgid "C:\\\\a"\nmsgstr "D"\n'
    pairs = read_pairs(write(tmp_path / "a.po", text))
    assert list(pairs) == [*PAIRS, ("C:\\a", "D")]
    assert skipped(pairs)["unknown escapes"] == 1


def test_a_broken_entry_is_left_out_and_named(tmp_path):
    broken = 'msgid "Dog"\nmsgstr Perro"\n\n'
    path = write(tmp_path / "a.po", PO.replace("# by a person", f"{broken}#"))
    pairs = read_pairs(path)
    with pytest.warns(UserWarning, match=r"a\.po, line 7, is no PO entry"):
        assert list(pairs) == PAIRS
    assert skipped(pairs)["malformed"] == 1


def test_quoted_cells_hold_anything(tmp_path):
    rows = [("source", "target"), ('one,\n"two"', "uno;\n«dos»")]
    path = write(tmp_path / "a.csv", csv(rows))
    assert list(read_pairs(path)) == rows[1:]


@pytest.mark.parametrize(
    "text, line",
    [
        ('en,es\na,b\nc,"d\n' + "e,f\n" * 9, 3),
        ('en,es\n"a,b\nc,d\n"e,f\n', 2),
    ],
)
def test_a_quote_that_does_not_end_is_named(tmp_path, text, line):
    path = write(tmp_path / "a.csv", text)
    message = rf"a\.csv, line {line}, must begin a row with whole quotes"
    with pytest.raises(ValueError, match=message):
        list(read_pairs(path, **EN_ES))


def test_columns_of_one_name_are_refused(tmp_path):
    path = write(tmp_path / "a.csv", "en,en,es\na,b,c\n")
    with pytest.raises(ValueError, match="must have columns of different names"):
        list(read_pairs(path, **EN_ES))
    with pytest.raises(ValueError, match="columns must be two names"):
        read_pairs(path, columns=("en", "en"))


@pytest.mark.parametrize("columns", [("2", "4"), "text,other"])
def test_columns(tmp_path, columns):
    rows = [("7", en, "8", es) for en, es in PAIRS]
    if isinstance(columns, str):
        columns = columns.split(",")
        rows.insert(0, ("id", "text", "n", "other"))
    path = write(tmp_path / "a.tsv", lines(rows))
    assert list(read_pairs(path, columns=columns)) == PAIRS


def test_columns_inside_of_others(tmp_path):
    path = write(tmp_path / "a.jsonl", TEXTS["wmt.jsonl"])
    for columns in (("en", "es"), ("translation.en", "translation.es")):
        assert list(read_pairs(path, columns=columns)) == PAIRS


@pytest.mark.parametrize("nested", [True, False])
def test_parquet(tmp_path, nested):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = translations()
    if not nested:
        rows = [row["translation"] for row in rows]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert list(read_pairs(tmp_path / "a.parquet", **ES_EN)) == SWAPPED
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="b.parquet must be a readable Parquet file"):
        list(read_pairs(tmp_path / "b.parquet", **ES_EN))


def test_rows_in_memory():
    pandas = pytest.importorskip("pandas")
    datasets = pytest.importorskip("datasets")
    frame = pandas.DataFrame([*PAIRS, ("x", None)], columns=["en", "es"])
    pairs = read_pairs(frame, columns=("en", "es"))
    assert list(pairs) == PAIRS and skipped(pairs) == dict(untranslated=1)
    text = pandas.array(["x", pandas.NA, *(es for _, es in PAIRS)], dtype="string")
    frame = pandas.DataFrame({"en": ["", "y", *(en for en, _ in PAIRS)], "es": text})
    assert list(read_pairs(frame, columns=("en", "es"))) == PAIRS
    dataset = datasets.Dataset.from_list(translations())
    assert list(read_pairs(dataset, **ES_EN)) == SWAPPED
    assert list(read_pairs(dataset.to_iterable_dataset(), **EN_ES)) == PAIRS
    assert list(read_pairs(PAIRS)) == PAIRS
    splits = datasets.DatasetDict({"train": dataset})
    for wrong in (splits, iter(PAIRS), 3):
        with pytest.raises(ValueError, match="source must be paths of files, or rows"):
            read_pairs(wrong)
    with pytest.raises(ValueError, match="list, row 2, must be a pair or a dict"):
        list(read_pairs([("a", "b"), ("c",)]))
    with pytest.raises(ValueError, match="row 1, column es, must be a string; rec"):
        list(read_pairs([{"en": "a", "es": 3}], **EN_ES))


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_packed(tmp_path, ending):
    content = TEXTS["a.tmx"].encode()
    path = tmp_path / f"a.tmx{ending}"
    if ending == ".gz":
        write(path, TEXTS["a.tmx"])
    elif ending == ".zst":
        zstandard = pytest.importorskip("zstandard")
        path.write_bytes(zstandard.compress(content))
    else:
        path.write_bytes({".bz2": bz2, ".xz": lzma}[ending].compress(content))
    assert list(read_pairs(path, **EN_ES)) == PAIRS
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"a\.tmx.* must be a readable XML file"):
        list(read_pairs(path, **EN_ES))


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.xz", "a.tgz"])
def test_archives(tmp_path, name):
    make = zipped if name.endswith("zip") else tarred
    if name == "a.tgz":
        make(tmp_path / "a.gz", moses()).rename(tmp_path / name)
    else:
        make(tmp_path / name, moses())
    pairs = read_pairs(tmp_path / name, **ES_EN)
    assert list(pairs) == SWAPPED
    assert skipped(pairs) == {"other files": 3}
    assert pairs.languages == ["es", "en"]
    with pytest.raises(ValueError, match=r"target_language must be given: .*en, es"):
        list(read_pairs(tmp_path / name))


def test_a_folder_of_all(tmp_path):
    for name, text in {**TEXTS, "notes.md": "x", ".hidden.tsv": "x"}.items():
        write(tmp_path / name, text)
    write(tmp_path / "train.en", side(0))
    write(tmp_path / "train.es.gz", side(1))
    zipped(tmp_path / "z.zip", {"a.tmx": TMX, "inner.zip": "x"})
    pairs = read_pairs(tmp_path, **EN_ES)
    assert list(pairs) == PAIRS * (len(TEXTS) + 2)
    assert skipped(pairs)["other files"] == 2
    for name in ("logo.png", "logo.svg", "train.png"):
        write(tmp_path / name, "x")
    pairs = read_pairs(tmp_path, **EN_ES)
    assert list(pairs) == PAIRS * (len(TEXTS) + 2)
    assert skipped(pairs)["other files"] == 5
    files = [tmp_path / name for name in ("train.es.gz", "a.tmx", "train.en")]
    assert list(read_pairs(files, **EN_ES)) == PAIRS * 2


def test_one_of_two_languages_may_be_a_rare_one(tmp_path):
    files = [tmp_path / name for name in ("a.hsb", "a.de", "b.png", "b.svg")]
    for number, path in enumerate(files):
        write(path, side(number % 2))
    pairs = read_pairs(tmp_path, target_language="de")
    assert list(pairs) == PAIRS and skipped(pairs)["other files"] == 2
    assert list(read_pairs(files[:2], target_language="de")) == PAIRS


@pytest.mark.parametrize(
    "names, code",
    [
        (("T.en-pt_br.en", "T.en-pt_br.pt_br"), "pt_br"),
        (("T.en-pt_br.en", "T.en-pt_br.pt_br"), "pt"),
        (("t_en.txt", "t_pt_br.txt"), "pt-BR"),
        (("t.en", "t.zh-Hant"), "zh"),
        (("t.en", "t.es_419"), "es"),
        (("t.eng_Latn", "t.quy_Latn"), "quy_Latn"),
    ],
)
def test_codes_of_regions_and_scripts(tmp_path, names, code):
    for number, name in enumerate(names):
        write(tmp_path / name, side(number))
    source = "eng_Latn" if "eng" in names[0] else "en"
    how = dict(source_language=source, target_language=code)
    assert list(read_pairs(tmp_path, **how)) == PAIRS
    assert list(read_pairs([tmp_path / name for name in names], **how)) == PAIRS


def test_several_files_a_side(tmp_path):
    source = [write(tmp_path / f"{n}.x", side(0)) for n in range(2)]
    target = [write(tmp_path / f"{n}.y", side(1)) for n in range(2)]
    assert list(read_pairs(source, target)) == PAIRS * 2
    with pytest.raises(ValueError, match=r"be as many files; received \[2, 1\]"):
        read_pairs(source, target[:1])
