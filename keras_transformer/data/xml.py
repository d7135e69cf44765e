"""TMX, TBX and XLIFF, a unit at a time: no entity is expanded, no file opened."""

import itertools
import re

from ..config import expect
from ..process.extras import needed
from ..text.opened import opened, readable
from .catalogues import ordered
from .reading import primary

LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
ENTRIES = ("termEntry", "conceptEntry")  # of TBX, of 2008 and of 2019
# States of XLIFF 1.2's targets that are no translations yet.
UNSURE = re.compile("new$|needs-")
REVIEW = "needs-review"  # what a machine filled; `documents` writes it


def tmx_pairs(path, name, reading):
    """The translation units of a TMX file.

    Of several texts in a language the first one is taken.
    """
    needed("lxml", "translate", extra="data")
    from translate.storage.tmx import tmxunit

    srclang = None
    for element in elements(path, name, "header", "tu"):
        if local(element) == "header":
            srclang = element.get("srclang")
            continue
        unit = unit_of(tmxunit, element)
        nodes = unit.getlanguageNodes()
        sides = sides_of(nodes, element.get("srclang", srclang), name, reading)
        if sides is None:
            continue
        if needs_review(sides[1]):
            reading.skipped["fuzzy"] += 1
            continue
        codes = list(map(code_of, nodes))
        alternatives = sum(codes.count(code_of(side)) - 1 for side in sides)
        reading.skipped["alternative segments"] += alternatives
        yield from reading.texts(*(unit.getNodeText(side) or "" for side in sides))


def tbx_pairs(path, name, reading):
    """The entries of a TBX file, old or new: of each language the first term."""
    needed("lxml", "translate", extra="data")
    from translate.storage.tbx import tbxunit

    begun = ("martif", "tbx")
    main = None
    for element in elements(path, name, *begun, *ENTRIES, begun=begun):
        if local(element) in begun:
            main = element.get(LANGUAGE)
            continue
        if unit_of(tbxunit, element).isobsolete():
            reading.skipped["obsolete"] += 1
            continue
        nodes = list(element.iterchildren("{*}langSet", "{*}langSec"))
        sides = sides_of(nodes, main, name, reading)
        if sides is not None:
            terms = [side.findall(".//{*}term") for side in sides]
            alternatives = sum(len(found[1:]) for found in terms)
            reading.skipped["alternative segments"] += alternatives
            first = [text_of(side.find(".//{*}term")) for side in sides]
            yield from reading.texts(*first)


def sides_of(nodes, main, name, reading):
    """The nodes of source and target among those of languages; None, if it is counted.

    `main` is the language that the file names as its own, or None.
    """
    codes = list(map(code_of, nodes))
    if len(set(codes)) < 2:
        reading.skipped["untranslated"] += 1
        return None
    if reading.languages == (None, None):
        reading.languages = main_languages(main, codes)
    places = reading.places(codes, name)
    return places and [nodes[place] for place in places]


def code_of(node):
    """The language of a node."""
    return node.get(LANGUAGE) or node.get("lang") or ""


def main_languages(main, codes):
    """The language that a file names as its own, and the only other one, if any.

    They are without regions if they differ so: the next file may have others.
    """
    others = set(codes) - {main}
    if main not in codes or len(others) > 1:
        return None, None
    full = (main, *others)
    short = tuple(map(primary, full))
    return full if short[0] == short[1] else short


def xliff_pairs(path, name, reading):
    """The units of an XLIFF file, version 1 or 2, by their segments.

    Version 2's `order` says only where a target stands: its segment's source stays its
    own.
    """
    needed("lxml", "translate", extra="data")
    from translate.storage.xliff import Xliff1Unit
    from translate.storage.xliff2 import Xliff2Unit

    begun = ("xliff", "file")
    names = (*begun, "trans-unit", "segment", "unit", "group")
    languages = (None, None)
    for element in elements(path, name, *names, begun=begun):
        kind = local(element)
        if kind == "xliff":
            languages = (element.get("srcLang"), element.get("trgLang"))
            continue
        if kind == "file":
            source = element.get("source-language", languages[0])
            target = element.get("target-language", languages[1])
            languages = (source, target)
            continue
        if kind in ("unit", "group"):  # they come for their memory
            continue
        unit_class = Xliff1Unit if kind == "trans-unit" else Xliff2Unit
        unit = unit_of(unit_class, element)
        target = element.find("{*}target")
        alternatives = len(element.findall("{*}alt-trans"))
        reading.skipped["alternative segments"] += alternatives
        if not is_translatable(element):
            reading.skipped["not to be translated"] += 1
        elif target is None or not text_of(target):
            reading.skipped["untranslated"] += 1
        elif is_unsure(unit, target):
            reading.skipped["fuzzy"] += 1
        else:
            for pair in segments(element, target):
                sides = [[text_of(side)] for side in pair]
                yield from ordered(sides, *languages, reading)


def is_translatable(element):
    """Whether an element is to be translated, by its own wish or the nearest around."""
    around = itertools.chain([element], element.iterancestors())
    wishes = (one.get("translate") for one in around)
    return next(filter(None, wishes), "yes").lower() != "no"


def segments(unit, target):
    """The parts of a unit's source, each with its part of the target, or None.

    Trados and memoQ mark the sentences of a unit, which are translated one by one.
    """
    sources = marked(unit.find("{*}seg-source"))
    targets = marked(target)
    if not (sources and targets):
        return [(unit.find("{*}source"), target)]
    return [(source, targets.get(number)) for number, source in sources.items()]


def marked(element):
    """The segments that are marked in a text of version 1.2, by their numbers."""
    marks = [] if element is None else element.iter("{*}mrk")
    return {mark.get("mid"): mark for mark in marks if mark.get("mtype") == "seg"}


def is_unsure(unit, target):
    """Whether a target is marked as one to be looked at.

    translate-toolkit takes all of version 1 for such that nobody has approved.
    """
    if local(unit.xmlelement) == "segment":
        return unit.isfuzzy() or unit.xmlelement.get("subState", "").endswith(REVIEW)
    return bool(UNSURE.match(target.get("state", "")))


def needs_review(element):
    """Whether a property says that a machine filled it, as `documents` writes it."""
    properties = element.findall("{*}prop") + element.findall("prop")
    return any(text_of(one) == REVIEW for one in properties)


def text_of(element):
    """The text of an element and of all inside it."""
    return "" if element is None else "".join(element.itertext()).strip()


def unit_of(unit_class, element):
    """A unit of translate-toolkit for an element."""
    unit = unit_class.createfromxmlElement(element)
    namespace, brace, _ = element.tag.rpartition("}")
    unit.namespace = namespace[1:] if brace else None
    return unit


def local(element):
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def elements(path, name, *names, begun=()):
    """The elements of some names in an XML file, each dropped when the next one comes.

    Those of the names `begun` come as soon as they begin, with attributes alone.
    """
    from lxml import etree

    tags = [f"{{*}}{one}" for one in names]
    is_first = True
    with readable(name, "XML file", etree.XMLSyntaxError), opened(path) as stream:
        events = etree.iterparse(
            stream,
            ("start", "end"),
            tag=tags,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
        )
        for event, element in events:
            if is_first:
                check_entities(element, name)
                is_first = False
            is_begun = local(element) in begun
            if is_begun == (event == "start"):
                yield element
            if event == "end":
                drop(element)
    must = f"be an XML file with {' or '.join(names)}"
    expect(not is_first, name, must, "one without")


def check_entities(element, name):
    """Raise a `ValueError` if a file declares entities."""
    document = element.getroottree().docinfo.internalDTD
    declared = [] if document is None else document.iterentities()
    found = [entity.name for entity in itertools.islice(declared, 5)]
    expect(not found, name, "declare no XML entities", found)


def drop(element):
    """Free the memory of an element and of what came before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
