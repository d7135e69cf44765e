"""TMX, translation memories.

Source: GALA, TMX 1.4b.
"""

from ..config import expect
from ..data.xml import REVIEW
from .document import check_languages, primary, spliced
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
        rows = [
            {primary(code_of(tuv)): tuv for tuv in reversed(unit.all("tuv"))}
            for unit in units
        ]
        codes = {key: code_of(tuv) for row in rows for key, tuv in row.items()}
        source, self.target = self.find_languages(codes)
        self.language = source
        for row in rows:
            tuv = row.get(primary(source))
            other = row.get(primary(self.target))
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
        others = sorted({*codes} - {primary(source)})
        target = wanted[1]
        known = primary(target) or ""
        if known in codes:
            target = codes[known]
        elif len(others) == 1 and len(known) != 2:
            target = codes[others[0]]
        must = f"have one language beside {source}, for a run that knows none"
        expect(target, self.path, must, others)
        check_languages(self.path, (source, None), self.options)
        return source, target

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


def code_of(tuv):
    """The language of a `tuv`; older versions call it `lang`."""
    return tuv.attributes.get("xml:lang") or tuv.attributes.get("lang")
