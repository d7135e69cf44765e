"""XLIFF 1.2 and 2.

Source: OASIS, XLIFF 1.2 and 2.1.
"""

import re

from ..config import expect
from ..data.xml import REVIEW
from .document import check_languages, spliced
from .xml import XML

# Where a translation that is the source itself is none.
OPEN_STATES = ("new", "needs-translation", "initial")
STATE = re.compile(r"""\s+(?:state|state-qualifier|subState)\s*=\s*("[^"]*"|'[^']*')""")
UNREVIEWED = f' state="{REVIEW}-translation"'
# In version 2 a segment has the state; "translated" is what nobody reviewed yet.
UNREVIEWED_2 = f' state="translated" subState="mt:{REVIEW}"'


class XLIFF(XML):
    """Its targets; what is marked as not to be translated stays."""

    def find_units(self):
        name = self.root.name
        expect(name == "xliff", self.path, "have the root <xliff>", name)
        self.is_new = self.root.attributes.get("version", "").startswith("2")
        self.check_root()
        unread = [(self.root, True)]
        while unread:
            element, is_open = unread.pop()
            wish = element.attributes.get("translate")
            is_open = wish == "yes" if wish else is_open
            if is_open and element.name == ("segment" if self.is_new else "trans-unit"):
                source = element.first("seg-source") or element.first("source")
                if source is not None:
                    yield source, element.first("target"), element
            elif element.name not in ("seg-source", "source", "target"):
                unread += [(child, is_open) for child in reversed(element.children)]

    def check_root(self):
        """See that the languages are the run's, and that version 2 names both."""
        own = [file.attributes for file in self.root.all("file")]
        names = ("source-language", "target-language")
        if self.is_new:
            own = [self.root.attributes]
            names = ("srcLang", "trgLang")
            code = self.options.languages[1]
            if "trgLang" not in own[0]:
                must = "say trgLang, the language to translate into"
                expect(code, self.path, must, sorted(own[0]))
                end = self.root.start + len(f"<{self.root.tag}")
                self.change(end, end, f' trgLang="{code.replace("_", "-")}"')
        for attributes in own:
            codes = [attributes.get(name) for name in names]
            check_languages(self.path, codes, self.options)
            self.language = codes[0]

    def is_open(self, source, target, unit):
        found = self.visible(target)
        marks = (
            [mark for mark in target.all("mrk") if is_segment(mark)] if found else []
        )
        if not all(map(self.visible, marks)):
            line = self.line_of(target.start)
            self.remarks.append(f"line {line}: a target that is half empty stays")
        holder = unit if self.is_new else target
        is_copy = found == self.visible(source)
        return not found or is_copy and holder.attributes.get("state") in OPEN_STATES

    def fill(self, segment, pieces):
        target, unit = segment.details
        text = spliced(segment.text, pieces)
        prefix = unit.tag.removesuffix(unit.name)
        begin = f"<{prefix}target>"
        place = (segment.start, segment.end)
        before = self.indent(unit.first("source"))
        if target is not None:
            begin = self.text[target.start : target.inner].replace("/>", ">")
            place = (target.start, target.end)
            before = ""
        if self.is_new:
            self.mark(unit.start, unit.inner)
        else:
            begin = STATE.sub("", begin)[:-1] + f"{UNREVIEWED}>"
        self.change(*place, f"{before}{begin}{text}</{prefix}target>")

    def mark(self, start, end):
        """Give the start tag of a segment its state."""
        tag = STATE.sub("", self.text[start:end])
        self.change(start, end, tag[:-1].rstrip() + f"{UNREVIEWED_2}>")


def is_segment(mark):
    """Whether a mark is around a sentence."""
    return mark.attributes.get("mtype") == "seg"
