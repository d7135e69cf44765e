"""What XLIFF and TMX share: Expat finds the places of their elements."""

import dataclasses
import html
import re
from xml.parsers import expat

from ..text.opened import readable
from .document import Document, Segment, spans, tabs

TAG = re.compile(r"""<(?:[^"'>]|"[^"]*"|'[^']*')*>""")
CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
ASIDE = re.compile(r"<!--.*?-->|<\?.*?\?>", re.DOTALL)
# What stands for markup: of XLIFF 1.2, of XLIFF 2, of TMX.
OPAQUE = {"ph", "x", "bx", "ex", "bpt", "ept", "it"}
OPAQUE |= {"sc", "ec", "cp", "sm", "em"}
OPAQUE |= {"ut"}


@dataclasses.dataclass(eq=False)
class Element:
    """An element and its places: of its start tag, its content and its end tag."""

    tag: str
    attributes: dict
    start: int
    inner: int
    inner_end: int = 0
    end: int = 0
    children: list = dataclasses.field(default_factory=list)

    @property
    def name(self):
        return self.tag.rpartition(":")[2]

    def all(self, name):
        return [child for child in self.children if child.name == name]

    def first(self, name):
        return next(iter(self.all(name)), None)


def parse(text):
    """The root of an XML text, as an `Element`.

    Raises:
        ValueError: if it declares entities.
        ExpatError: if it is not well-formed.
    """
    data = text.encode()
    parser = expat.ParserCreate("utf-8")
    root = Element("", {}, 0, 0)
    opened = [root]
    read = [0, 0]  # bytes, characters

    def place():
        index = parser.CurrentByteIndex
        read[1] += len(data[read[0] : index].decode())
        read[0] = index
        return read[1]

    def begin(tag, attributes):
        start = place()
        inner = TAG.match(text, start).end()
        element = Element(tag, attributes, start, inner)
        opened[-1].children.append(element)
        opened.append(element)

    def end(_):
        element = opened.pop()
        element.inner_end = max(place(), element.inner)
        element.end = element.inner_end
        if not text[element.start : element.inner].endswith("/>"):
            element.end = TAG.match(text, element.inner_end).end()

    def refuse(name, *_):
        raise ValueError(f"it must declare no entities; received {name!r}")

    parser.StartElementHandler = begin
    parser.EndElementHandler = end
    parser.EntityDeclHandler = refuse
    parser.Parse(data, True)
    return root.children[0]


def markup(element):
    """The spans of markup inside an element."""
    for child in element.children:
        attributes = child.attributes
        is_kept = attributes.get("translate") == "no"
        is_kept = is_kept or attributes.get("mtype") == "protected"
        if is_kept or child.name in OPAQUE:
            yield child.start, child.end
        else:
            yield child.start, child.inner
            yield from markup(child)
            yield child.inner_end, child.end


class XML(Document):
    """A document of units: elements with a text, and its translation or none.

    Attributes:
        root: the `Element` of all.
        units: tuples of the element with the text, that with the translation or None,
            and what else the format must know.
    """

    declared = re.compile(rb"""<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)""")
    errors = "xmlcharrefreplace"

    def find_segments(self):
        with readable(self.path, "XML file", ValueError, expat.ExpatError):
            self.root = parse(self.text)
        self.units = list(self.find_units())
        for number, (source, *details) in enumerate(self.units):
            if self.visible(source) and self.is_open(source, *details):
                yield self.segment(number, source, details)

    def find_units(self):
        """Yield the units, in order."""
        raise NotImplementedError

    def is_open(self, source, target, *details):
        """Whether a unit is to be translated."""
        return not self.visible(target)

    def segment(self, number, source, details):
        text = CDATA.sub(escaped, self.inner(source))
        fixed = [*spans(ASIDE, text), *tabs(text)]
        begin = len("<a>")
        where = f"line {self.line_of(source.start)}"
        # A DTD that is not read may declare entities; here it would be missed.
        with readable(f"{self.path}, {where},", "text", expat.ExpatError):
            element = parse(f"<a>{text}</a>")
        for start, end in markup(element):
            fixed.append((start - begin, end - begin))
        end = source.end
        return Segment(text, where, end, end, fixed, key=number, details=details)

    def inner(self, element):
        """What is between the tags of an element."""
        return self.text[element.inner : element.inner_end]

    def visible(self, element):
        """The text of an element without tags; empty without an element."""
        if element is None:
            return ""
        text = CDATA.sub(escaped, self.inner(element))
        return TAG.sub("", ASIDE.sub("", text)).strip()

    def indent(self, element):
        """The white space before an element."""
        begin = self.text.rfind(">", 0, element.start) + 1
        found = self.text[begin : element.start]
        return "" if found.strip() else found

    def plain(self, text):
        return html.unescape(text)

    def written(self, segment, text):
        return html.escape(text, quote=False)

    def structure(self, filled):
        """Texts and translations; of new ones the markup, which is the source's."""
        parts = []
        for number, (source, target, *_) in enumerate(self.units):
            parts.append(self.inner(source))
            if number not in filled:
                parts.append(target and self.inner(target))
                continue
            shown = target if self.visible(target) else source
            text = CDATA.sub(escaped, self.inner(shown))
            parts.append(TAG.findall(text))
        return parts


def escaped(found):
    return html.escape(found[1], quote=False)
