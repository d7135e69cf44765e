"""Files of pairs in all formats, all with the same two pairs."""

import gzip
import io
import json
import tarfile
import zipfile

PAIRS = [("A red cat sleeps.", "Un gato rojo duerme."), ('He said "no".', "Dijo «no».")]
SWAPPED = [(target, source) for source, target in PAIRS]
PO = """msgid ""
msgstr ""
"Language: es\\n"
"Content-Type: text/plain; charset=UTF-8\\n"

# by a person
msgctxt "menu"
msgid ""
"A red "
"cat sleeps."
msgstr "Un gato rojo duerme."

#, fuzzy
msgid "A dog"
msgstr "Un gato"

msgid "Nothing"
msgstr ""

msgid "He said \\"no\\"."
msgid_plural "They said."
msgstr[0] "Dijo «no»."
msgstr[1] ""

#~ msgid "Old"
#~ msgstr "Viejo"
"""
TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en-US"/><body>
<tu><note>x</note><tuv xml:lang="en-US"><seg>A <hi>red</hi> cat sleeps.</seg></tuv>
<tuv xml:lang="es"><seg>Un gato rojo duerme.</seg></tuv>
<tuv xml:lang="es"><seg>Duerme un gato rojo.</seg></tuv></tu>
<tu><tuv xml:lang="en-US"><seg>Rain</seg></tuv><tuv xml:lang="fr"><seg>Pluie</seg></tuv>
</tu>
<tu><tuv xml:lang="es"><seg>Dijo «no».</seg></tuv>
<tuv lang="en-US"><seg>He said "no".</seg></tuv></tu>
</body></tmx>
"""
XLIFF = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en-US" target-language="es" datatype="x" original="a"><body>
<trans-unit id="1"><source>A <g id="1">red</g> cat sleeps.</source>
<target state="translated">Un gato <g id="1">rojo</g> duerme.</target>
<alt-trans><target>Duerme un gato.</target></alt-trans></trans-unit>
<group><trans-unit id="2"><source>Dog</source><target/></trans-unit>
<trans-unit id="3"><source>Rain</source>
<target state="needs-review-translation">Nieve</target></trans-unit></group>
</body></file>
<file source-language="en" target-language="es" datatype="x" original="b"><body>
<trans-unit id="4" approved="yes"><source>He said "no".</source>
<target>Dijo «no».</target></trans-unit>
</body></file></xliff>
"""
XLIFF_2 = """<xliff version="2.0" xmlns="urn:oasis:names:tc:xliff:document:2.0"
srcLang="en" trgLang="es-ES"><file id="f">
<unit id="1"><segment><source>A <pc id="1">red</pc> cat sleeps.</source>
<target>Un gato rojo duerme.</target></segment>
<segment state="initial"><source>Rain</source><target>Nieve</target></segment></unit>
<unit id="2"><segment state="final"><source>He said "no".</source>
<target>Dijo «no».</target></segment><segment><source>Dog</source></segment></unit>
</file></xliff>
"""
TBX = """<?xml version="1.0"?><!DOCTYPE martif SYSTEM "TBXcoreStructV02.dtd">
<martif type="TBX" xml:lang="en"><text><body>
<termEntry><langSet xml:lang="es"><tig><term>Un gato rojo duerme.</term></tig>
<tig><term>Duerme un gato.</term></tig></langSet>
<langSet xml:lang="en"><tig><term>A red cat sleeps.</term></tig></langSet></termEntry>
<termEntry><langSet xml:lang="en"><tig><term>Dog</term></tig></langSet></termEntry>
<termEntry><langSet xml:lang="fr"><tig><term>Il a dit non.</term></tig></langSet>
<langSet xml:lang="es"><tig><term>Dijo «no».</term></tig></langSet>
<langSet xml:lang="en"><tig><term>He said "no".</term></tig></langSet></termEntry>
</body></text></martif>
"""
TBX_2019 = (
    TBX.replace('<martif type="TBX"', '<martif xmlns="urn:iso:std:iso:30042:ed-2"')
    .replace("martif", "tbx")
    .replace("termEntry", "conceptEntry")
    .replace("langSet", "langSec")
    .replace("tig>", "termSec>")
)
TS = """<!DOCTYPE TS><TS version="2.1" sourcelanguage="en" language="es"><context>
<name>x</name>
<message><source>A red cat sleeps.</source>
<translation>Un gato rojo duerme.</translation></message>
<message><source>He said "no".</source><translation>Dijo «no».</translation></message>
<message><source>Rain</source><translation type="unfinished">Nieve</translation>
</message></context></TS>
"""
TABLE = [("en", "es"), *PAIRS]


def lines(rows):
    """Rows of cells as lines."""
    return "".join("\t".join(row) + "\n" for row in rows)


def csv(rows, delimiter=","):
    """Rows of cells, quoted."""
    found = [
        delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row)
        for row in rows
    ]
    return "\r\n".join(found) + "\r\n"


def json_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def translations():
    """Rows as of Hugging Face's WMT."""
    return [{"id": 1, "translation": {"en": en, "es": es}} for en, es in PAIRS]


def side(place, end="\n"):
    """The lines of one side."""
    return "".join(pair[place] + end for pair in PAIRS)


# Texts by file name; each read as PAIRS with languages en and es.
TEXTS = {
    "a.po": PO,
    "a.tmx": TMX,
    "a.xlf": XLIFF,
    "b.xliff": XLIFF_2,
    "a.tbx": TBX,
    "b.tbx": TBX_2019,
    "a.ts": TS,
    "plain.tsv": lines(PAIRS),
    "header.tsv": lines([("source", "target"), *PAIRS]),
    "languages.tsv": lines([("es", "en"), *SWAPPED]),
    "regions.csv": csv([("en_GB", "es_MX"), *PAIRS]),
    "languages.csv": csv(TABLE),
    "excel.csv": csv(TABLE, delimiter=";"),
    "separator.csv": "sep=;\r\n" + csv(TABLE, delimiter=";"),
    "plain.csv": csv(PAIRS),
    "tabs.txt": lines(PAIRS),
    "names.jsonl": json_lines([{"en": en, "es": es, "n": 1} for en, es in PAIRS]),
    "roles.jsonl": json_lines([{"tgt": es, "src": en} for en, es in PAIRS]),
    "wmt.jsonl": json_lines(translations()),
    "list.json": json.dumps(translations(), indent=1),
    "lines.json": json_lines(translations()),
}


def write(path, text, encoding="utf-8", newline=None):
    """Write a text, with other ends of lines if they are given."""
    if newline:
        text = text.replace("\r\n", "\n").replace("\n", newline)
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def zipped(path, members):
    """Write a zip file of texts by name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def tarred(path, members):
    """Write a tar file of texts by name, packed as its name says."""
    mode = "w:" + path.suffix[1:].removeprefix("tar")
    with tarfile.open(path, mode) as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            content = text.encode()
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def moses():
    """The members of a zip file as OPUS has them."""
    return {
        "README": "An OPUS corpus\n",
        "LICENSE": "CC0\n",
        "Books.en-es.en": side(0),
        "Books.en-es.es": side(1),
        "Books.en-es.xml": "<x/>",
    }
