"""Units of translators' files: PO, and what else translate-toolkit reads."""

import gettext
import io
import itertools
import re
import warnings
from pathlib import Path

from ..process.extras import needed
from ..text.opened import opened_text, read_whole, readable, without_packing
from .reading import CODES, primary, speaks

# Of a language, in names of files and folders: es, pt_BR, zh_Hans, ca@valencia.
CODE = re.compile(r"[a-z]{2}(?:[_-](?:[A-Z]{2}|[A-Z][a-z]{3}))?(?:@\w+)?")
CHARSET = re.compile(rb"charset=\s*([\w.:-]+)")
PLURALS = re.compile(r"nplurals\s*=\s*(\d+)\s*;\s*plural\s*=\s*([^;]+)")
# Of a backslash translate-toolkit knows \n, \t, \r and what stands for itself.
UNREAD = re.compile(r'(?<!\\)(?:\\\\)*\\[^nrt"\\]')


def po_pairs(path, name, reading):
    """A PO file, an entry at a time; what is no entry is left out with a warning."""
    needed("translate", extra="data")
    known = {}
    for number, lines in po_blocks(path, name):
        units = po_units(lines, number, name, reading)
        for unit in units:
            if unit.isheader():
                known = headers(unit)
            elif are_unread(lines_of(unit)):
                reading.skipped["unknown escapes"] += 1
            else:
                languages = languages_of(known, Path(path))
                yield from unit_pairs(unit, known, *languages, reading)


def po_blocks(path, name):
    """The lines between blank lines, decoded, and the number of the first one."""
    block = []
    charset = None
    number = 0
    has_entry = False  # of comments alone it is no block: they are of what follows
    damage = readable(name, "PO file", UnicodeDecodeError, LookupError)
    with damage, opened_text(path) as stream:
        for number, line in enumerate(stream, 1):
            has_entry = has_entry or line.startswith((b"msgid", b"#~"))
            is_between = not line.strip() and has_entry
            if not is_between:
                block.append(line)
                continue
            charset = charset or charset_of(block)
            yield number - len(block), [raw.decode(charset) for raw in block]
            block = []
            has_entry = False
        charset = charset or charset_of(block)
        yield number + 1 - len(block), [raw.decode(charset) for raw in block]


def charset_of(block):
    """The encoding that a header says; what was recoded is UTF-8 whatever it says."""
    entry = [line for line in block if not line.startswith(b"#")]
    found = CHARSET.search(b"".join(entry))
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


def languages_of(known, path):
    """The languages of source and target by a PO file's header, or None.

    Where the header has no language, the file's place may say it. Where a translation
    is in English, its source is too: it is another wording, or the header is wrong.
    """
    target = known.get("Language") or language_of_place(path)
    is_english = target is not None and speaks(target, "en")
    return known.get("X-Source-Language", "en" if is_english else None), target


def language_of_place(path):
    """The language of a catalogue by its path, `es.po` or `es/LC_MESSAGES/x.po`."""
    names = [without_packing(path).partition(".")[0]]
    if path.parent.name == "LC_MESSAGES":
        names.append(path.parent.parent.name)
    for name in names:
        if CODE.fullmatch(name) and primary(name) in CODES:
            return name
    return None


def are_unread(lines):
    """Whether lines of a PO file have escapes that translate-toolkit misreads."""
    return any(map(UNREAD.search, lines))


def lines_of(unit):
    """The quoted lines of a PO entry's texts."""
    forms = unit.msgstr.values() if isinstance(unit.msgstr, dict) else [unit.msgstr]
    return [*unit.msgid, *unit.msgid_plural, *itertools.chain(*forms)]


def plural_forms(known):
    """How many plural forms a PO header has, and those of 1 and of 3; None without.

    The form of 3 is the usual one: Arabic has others for none and for two.
    """
    found = PLURALS.search(known.get("Plural-Forms", ""))
    if found is None:
        return None
    try:
        form_of = gettext.c2py(found[2])
        return int(found[1]), form_of(1), form_of(3)
    except (ValueError, ZeroDivisionError):
        return None


def paired_texts(unit, known):
    """The texts of a unit, and the translations that belong to them.

    `known` are the fields of the file's header. A language of one form has it for all
    numbers, as the plural.
    """
    sources = texts(unit.source)
    targets = texts(unit.target)
    if len(sources) == 1:
        return sources, targets[:1]
    _, one, several = plural_forms(known) or (None, 0, 1)
    source_of = {one: sources[0], several: sources[1]}
    forms = [form for form in source_of if form < len(targets)]
    return [source_of[form] for form in forms], [targets[form] for form in forms]


def unit_pairs(unit, known, source, target, reading):
    """The pairs of a unit, several if it has plurals.

    `known` are the fields of the header; `source` and `target` are languages.
    """
    if unit.isobsolete():
        reading.skipped["obsolete"] += 1
    elif unit.isfuzzy():
        reading.skipped["fuzzy"] += 1
    elif not unit.istranslated():
        reading.skipped["untranslated"] += 1
    else:
        sides = paired_texts(unit, known)
        count = max(len(texts(unit.source)), len(texts(unit.target)))
        reading.skipped["alternative segments"] += count - len(sides[0])
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
    from translate.storage.poheader import poheader

    content = read_whole(path, name)
    ending = re.search(r"\.(\w+)(?:\.(?:gz|bz2|xz|zst))?$", str(path))[1]
    with readable(name, f".{ending} file", Exception):  # each format has its own
        store = factory.getclass(f"file.{ending}").parsefile(io.BytesIO(content))
        known = store.parseheader() if isinstance(store, poheader) else {}
    for unit in store.units:
        if not unit.isheader():
            source = store.getsourcelanguage()
            target = store.gettargetlanguage()
            yield from unit_pairs(unit, known, source, target, reading)
