"""TMX and XLIFF, a unit at a time: no entity is expanded, nothing else is opened."""

import itertools
import re

from ..config import expect
from ..runs.extras import needed
from ..text.opened import opened, readable
from .catalogues import ordered

LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
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
        codes = [node.get(LANGUAGE) or node.get("lang") or "" for node in nodes]
        if not codes:
            reading.skipped["untranslated"] += 1
            continue
        if reading.languages == (None, None):
            reading.languages = tmx_languages(element.get("srclang", srclang), codes)
        places = reading.places(codes, name)
        if places is None:
            continue
        if needs_review(nodes[places[1]]):
            reading.skipped["fuzzy"] += 1
            continue
        source, target = (codes[place] for place in places)
        alternatives = codes.count(source) + codes.count(target) - 2
        reading.skipped["alternative segments"] += alternatives
        yield from reading.texts(*(unit.getNodeText(nodes[n]) or "" for n in places))


def tmx_languages(srclang, codes):
    """The source language that a TMX file names, and the only other one, if any."""
    others = set(codes) - {srclang}
    is_clear = srclang in codes and len(others) == 1
    return (srclang, *others) if is_clear else (None, None)


def xliff_pairs(path, name, reading):
    """The units of an XLIFF file, version 1 or 2."""
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
        if not unit.istranslatable():
            reading.skipped["not to be translated"] += 1
        elif target is None or not text_of(target):
            reading.skipped["untranslated"] += 1
        elif is_unsure(unit, target):
            reading.skipped["fuzzy"] += 1
        else:
            source = element.find("{*}source")
            sides = [[text_of(source)], [text_of(target)]]
            yield from ordered(sides, *languages, reading)


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
    safe = dict(resolve_entities=False, no_network=True, load_dtd=False)
    is_first = True
    with readable(name, "XML file", etree.XMLSyntaxError), opened(path) as stream:
        events = etree.iterparse(stream, ("start", "end"), tag=tags, **safe)
        for event, element in events:
            if is_first:
                check_entities(element, name)
                is_first = False
            is_begun = local(element) in begun
            if is_begun == (event == "start"):
                yield element
            if event == "end":
                drop(element)
    expect(not is_first, name, f"be an XML file with {' or '.join(names)}", "others")


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
