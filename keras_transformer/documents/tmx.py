"""TMX, translation memories.

Source: GALA, TMX 1.4b.
"""

from ..config import expect
from ..data.reading import plain, primary
from ..data.xml import REVIEW
from .document import are_alike, check_languages, spliced
from .xml import XML

# The format has no states; properties are of one's own.
STATE = f'<prop type="x-state">{REVIEW}</prop>'


class TMX(XML):
    """Its translation units; what is missing in one language is added."""

    def find_units(self):
        name = self.root.name
        expect(name == "tmx", self.path, "have the root <tmx>", name)
        body = self.root.first("body")
        units = [] if body is None else body.all("tu")
        rows = [self.row(unit) for unit in units]
        codes = sorted({code for row in rows for code in row})
        source, target = self.find_languages(codes)
        self.language = source
        self.target = closest(target, codes) or target
        for row in rows:
            tuv = row.get(closest(source, row))
            other = row.get(closest(target, row))
            if tuv is not None:
                yield self.seg(tuv), self.seg(other), tuv

    def find_languages(self, codes):
        """The codes of source and target, where the file spells them."""
        header = self.root.first("header")
        wanted = self.options.languages
        source = None if header is None else header.attributes.get("srclang")
        if source in (None, "*all*"):
            source = wanted[0]
        must = "say its srclang in its header"
        expect(source, self.path, must, source)
        is_there = not codes or closest(source, codes)
        must = f"have texts in its source language, {source}"
        expect(is_there, self.path, must, codes)
        others = [code for code in codes if not are_alike(code, source)]
        are_one = others and all(are_alike(code, others[0]) for code in others)
        target = wanted[1]
        is_new = not target or closest(target, codes) is None
        if are_one and is_new and len(primary(target) or "") != 2:
            target = others[0]
        must = f"have one language beside {source}, for a run that knows none"
        expect(target, self.path, must, others)
        check_languages(self.path, (source, None), self.options)
        return source, target

    def row(self, unit):
        """The first `tuv` of each language of a unit, by its code."""
        found = {}
        for tuv in unit.all("tuv"):
            found.setdefault(self.code_of(tuv), tuv)
        return found

    def code_of(self, tuv):
        """The language of a `tuv`; older versions call it `lang`."""
        code = tuv.attributes.get("xml:lang") or tuv.attributes.get("lang")
        where = f"{self.path}, line {self.line_of(tuv.start)},"
        expect(code, where, "have an xml:lang", code)
        return code

    def seg(self, tuv):
        if tuv is None:
            return None
        found = tuv.first("seg")
        where = f"{self.path}, line {self.line_of(tuv.start)},"
        expect(found is not None, where, "have a <seg>", tuv.tag)
        return found

    def fill(self, segment, pieces):
        target, tuv = segment.details
        new = f"{STATE}<seg>{spliced(segment.text, pieces)}</seg>"
        if target is not None:
            self.change(target.start, target.end, new)
            return
        language = f'<tuv xml:lang="{self.target.replace("_", "-")}">'
        new = f"{self.indent(tuv)}{language}{new}</tuv>"
        self.change(tuv.end, tuv.end, new)


def closest(wanted, codes):
    """The code of a language among others, the very one first; None if it is not there.

    So zh-TW is no zh-CN, but both are zh.
    """
    alike = [code for code in codes if are_alike(code, wanted)]
    exact = [code for code in alike if plain(code) == plain(wanted)]
    return next(iter(exact + alike), None)
