"""PO catalogues: translate-toolkit reads them, and gives texts their quotes and lines.

GNU gettext's manual, "The Format of PO Files", is the source of what is done here.
"""

import re

from translate.storage import pypo

from ..config import expect
from ..data.catalogues import are_unread, plural_forms, texts
from ..text.opened import readable
from .document import Document, Segment, check_languages, spliced, tabs

# In a template xgettext writes CHARSET, which is no encoding; the file is UTF-8.
CHARSET = re.compile(
    rb"^[^#\n].*Content-Type:[^\n\\]*charset=(?!CHARSET\b)([\w-]+)", re.M | re.I
)
ENTRY = re.compile(rb"^msgid\b", re.MULTILINE)
QUOTED = r'[ \t]*"[^\r\n]*"[ \t]*'
STRING = rf"msgstr(?:\[\d+\])?{QUOTED}(?:\r?\n{QUOTED})*"
# All translations of an entry that is not obsolete.
STRINGS = re.compile(rf"^{STRING}(?:\r?\n{STRING})*", re.MULTILINE)
OBSOLETE = re.compile(r"^#~.*$", re.MULTILINE)
FLAGS = re.compile(r"^#,[ \t]*", re.MULTILINE)
BEGIN = re.compile(r"^(?:#\||msgctxt|msgid)", re.MULTILINE)


class PO(Document):
    """A catalogue; what it fills is fuzzy, and what is fuzzy already stays."""

    declared = CHARSET

    def find_segments(self):
        has_others = "\r" in self.text.replace("\r\n", "")
        must = "have lines that end in LF or CR LF"
        expect(not has_others, self.path, must, "CR alone")
        # In other encodings, and with mixed ends of lines, it does not read all.
        data = self.text.encode()
        if found := CHARSET.search(self.head(data)):
            data = data[: found.start(1)] + b"UTF-8" + data[found.end(1) :]
        self.store = pypo.pofile(encoding="utf-8")
        with readable(self.path, "PO file", ValueError):
            self.store.parse(data.replace(b"\r\n", b"\n"))
            units = list(filter(is_entry, self.store.units))
            places = STRINGS.finditer(self.text)
            self.entries = list(zip(units, places, strict=True))
        self.header = self.store.parseheader()
        self.language = self.header.get("X-Source-Language")
        codes = (self.language, self.header.get("Language"))
        check_languages(self.path, codes, self.options)
        self.filled = {}
        unread = 0
        for number, (unit, place) in enumerate(self.entries):
            if unit.isheader() or all(texts(unit.target)):
                continue
            if are_unread([*unit.msgid, *unit.msgid_plural]):
                unread += 1
                continue
            where = f"line {self.line_of(place.start())}"
            forms = self.forms(unit, where)
            given = texts(unit.target)
            must = f"have no more than the header's {len(forms)} forms"
            expect(len(given) <= len(forms), f"{self.path}, {where},", must, len(given))
            given = [*given, *[""] * len(forms)]
            missing = {form for form, text in zip(forms, given) if not text}
            for form, text in enumerate(texts(unit.source)):
                if form in missing:
                    yield Segment(
                        text,
                        where,
                        *place.span(),
                        fixed=tabs(text),
                        key=number,
                        details=form,
                    )
        if unread:
            self.remarks.append(f"{unread} entries with unknown escapes stay")

    def forms(self, unit, where):
        """Which of an entry's two texts each of its translations is of, 0 or 1."""
        if not unit.hasplural():
            return [0]
        found = plural_forms(self.header)
        must = "be under a header with Plural-Forms"
        received = self.header.get("Plural-Forms")
        expect(found, f"{self.path}, {where},", must, received)
        count, one, _ = found
        is_alone = count == 1  # it serves for all numbers
        return [int(number != one or is_alone) for number in range(count)]

    def head(self, data):
        """The header, however long the comments above it are."""
        begins = [found.start() for found in ENTRY.finditer(data)]
        return data[: [*begins[1:2], len(data)][0]]

    def fill(self, segment, pieces):
        text = spliced(segment.text, pieces)
        self.filled.setdefault(segment.key, {})[segment.details] = text

    def data(self):
        last = 0
        for number, (_, place) in enumerate(self.entries):
            if number in self.filled:
                self.change(*place.span(), self.strings(number))
                self.mark(last, place.start())
            last = place.end()
        return super().data()

    def strings(self, number):
        """The lines with the translations of an entry."""
        unit, place = self.entries[number]
        forms = self.forms(unit, "")
        given = [*texts(unit.target), *[""] * len(forms)]
        lines = []
        for form, (source, text) in enumerate(zip(forms, given)):
            name = f"msgstr[{form}]" if unit.hasplural() else "msgstr"
            new = self.filled[number].get(source, "")
            # A text beside a missing one is a plural's; as it was, with its escapes.
            quoted = unit.msgstr[form] if text else pypo.quoteforpo(new) or ['""']
            lines += [f"{name} {quoted[0]}", *quoted[1:]]
        return self.line_end.join(lines)

    def mark(self, start, end):
        """Mark the entry as fuzzy that ends there, after the one before it."""
        for found in OBSOLETE.finditer(self.text, start, end):
            start = found.end()
        flags = FLAGS.search(self.text, start, end)
        if flags is None:
            begin = BEGIN.search(self.text, start, end).start()
            self.change(begin, begin, f"#, fuzzy{self.line_end}")
        elif "fuzzy" not in self.text[flags.end() : end].split("\n")[0]:
            self.change(flags.end(), flags.end(), "fuzzy, ")

    @property
    def line_end(self):
        return "\r\n" if "\r\n" in self.text else "\n"

    def structure(self, filled):
        """What stands beside each entry, and what was translated already."""
        parts = [str(unit) for unit in self.store.units if not is_entry(unit)]
        for number, (unit, _) in enumerate(self.entries):
            words = re.findall(r"[\w-]+", " ".join(unit.typecomments))
            flags = {*words} - {"fuzzy"}
            notes = [unit.getnotes(), unit.getlocations(), flags]
            parts.append([unit.getcontext(), texts(unit.source), *notes])
            if number not in filled:
                parts.append([texts(unit.target), unit.isfuzzy()])
        return parts


def is_entry(unit):
    """Whether a unit has a text that is in use; a comment may stand alone."""
    return bool(unit.msgid) and not unit.isobsolete()
