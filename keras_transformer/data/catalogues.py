"""Units of translators' files: PO, TMX, XLIFF and what else translate-toolkit reads."""

import io
import re
import warnings

from ..config import expect
from ..runs.extras import needed
from ..text.opened import opened, opened_text, readable
from .reading import speaks

CHARSET = re.compile(rb"charset=\s*([\w.:-]+)")
LARGEST = 1 << 28  # bytes of a file that is read at once


def po_pairs(path, name, reading):
    """A PO file, an entry at a time; what is no entry is left out with a warning."""
    needed("translate", extra="data")
    known = None
    for number, lines in po_blocks(path, name):
        units = po_units(lines, number, name, reading)
        for unit in units:
            if unit.isheader():
                known = headers(unit)
                continue
            yield from unit_pairs(unit, *languages_of(known or {}), reading)
        known = known or {}


def po_blocks(path, name):
    """The lines between blank lines, decoded, and the number of the first one."""
    block = []
    charset = None
    number = 0
    damage = readable(name, "PO file", UnicodeDecodeError, LookupError)
    with damage, opened_text(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                block.append(line)
                continue
            charset = charset or charset_of(block)
            yield number - len(block), [raw.decode(charset) for raw in block]
            block = []
        charset = charset or charset_of(block)
        yield number + 1 - len(block), [raw.decode(charset) for raw in block]


def charset_of(block):
    """The encoding that a header says; what was recoded is UTF-8 whatever it says."""
    found = CHARSET.search(b"".join(block))
    charset = found[1].decode() if found else "utf-8"
    return "utf-8" if charset == "CHARSET" or charset[:3].lower() == "utf" else charset


def po_units(lines, number, name, reading):
    """The units of some lines, of which the first has a number."""
    from translate.storage import poparser
    from translate.storage.pypo import pounit

    state = poparser.PoParseState(lines, pounit)
    try:
        while unit := poparser.parse_unit(state):
            if unit.msgid or unit.obsolete:
                yield unit
        if not state.eof:
            raise poparser.PoParseError(state)
    except (ValueError, IndexError):
        reading.skipped["malformed"] += 1
        place = f"{name}, line {number + state.lineno - 1}"
        warnings.warn(f"{place}, is no PO entry and left out", stacklevel=2)


def headers(unit):
    """The fields of a PO file's header."""
    rows = str(unit.target).splitlines()
    fields = (row.partition(":") for row in rows)
    return {field.strip(): value.strip() for field, _, value in fields}


def languages_of(known):
    """The languages of source and target by a PO file's header, or None.

    Where a translation is in English, its source is too: it is another wording, or the
    header is wrong.
    """
    target = known.get("Language") or None
    is_english = target is not None and speaks(target, "en")
    return known.get("X-Source-Language", "en" if is_english else None), target


def unit_pairs(unit, source, target, reading):
    """The pairs of a unit, several if it has plurals, given its two languages."""
    if unit.isobsolete():
        reading.skipped["obsolete"] += 1
    elif unit.isfuzzy():
        reading.skipped["fuzzy"] += 1
    elif not unit.istranslated():
        reading.skipped["untranslated"] += 1
    else:
        sides = [texts(unit.source), texts(unit.target)]
        extra = max(map(len, sides)) - min(map(len, sides))
        reading.skipped["alternative segments"] += extra
        yield from ordered(sides, source, target, reading)


def texts(text):
    """The singular and the plurals of a text of translate-toolkit."""
    return [str(form) for form in getattr(text, "strings", [text])]


def ordered(sides, source, target, reading):
    """The pairs of two lists of texts in these languages, as they are asked for."""
    places = reading.order(source, target)
    if places is not None:
        one, other = places
        for pair in zip(*sides):
            yield from reading.texts(pair[one], pair[other])


def toolkit_pairs(path, name, reading):
    """A file of another format of translate-toolkit, which is read at once."""
    needed("translate", extra="data")
    from translate.storage import factory

    with opened(path) as stream:
        content = stream.read(LARGEST + 1)
    expect(len(content) <= LARGEST, name, f"have at most {LARGEST:,} bytes", "more")
    ending = re.search(r"\.(\w+)(?:\.(?:gz|bz2|xz|zst))?$", str(path))[1]
    with readable(name, f".{ending} file", Exception):  # each format has its own
        store = factory.getclass(f"file.{ending}").parsefile(io.BytesIO(content))
    for unit in store.units:
        if not unit.isheader():
            languages = (store.getsourcelanguage(), store.gettargetlanguage())
            yield from unit_pairs(unit, *languages, reading)
