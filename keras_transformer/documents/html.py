"""HTML: the standard library's parser finds the places of tags and texts."""

import collections
import html
import re
from html.parser import HTMLParser

from .document import Document, Segment, check_languages, spans

# Elements inside a sentence; all others end it.
INLINE = set(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img input ins kbd "
    "label mark math output q rp rt ruby s samp small span strike strong sub sup svg "
    "time tt u var wbr".split()
)
# What is no prose.
OPAQUE = set(
    "code kbd math noscript object pre samp script style svg template textarea tt "
    "var".split()
)
VOID = set("area base br col embed hr img input link meta source track wbr".split())
# Elements whose end tag may be missing, and the start tags that end them.
BLOCKS = set(
    "address article aside blockquote details dialog div dl fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr main menu nav ol p pre search "
    "section table ul".split()
)
GROUPS = {"tbody", "tfoot"}
ENDED_BY = {
    "p": BLOCKS,
    "li": {"li"},
    "dt": {"dt", "dd"},
    "dd": {"dt", "dd"},
    "td": {"td", "th", "tr", *GROUPS},
    "th": {"td", "th", "tr", *GROUPS},
    "tr": {"tr", *GROUPS},
    "thead": GROUPS,
    "tbody": GROUPS,
    "option": {"option", "optgroup", "hr"},
    "optgroup": {"optgroup", "hr"},
}
# Attributes that are read. A value as a whole: inside it may be what looks like one.
TEXTS = ("alt", "title")
ATTRIBUTE = re.compile(
    r"""(?<=[\s"'/])([^\s"'<>/=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|[^\s"'>][^\s>]*)"""
)
# Code of templates, which may be over several lines.
TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class Events(HTMLParser):
    """Lists what an HTML text consists of: `(place, kind, name, attributes)`."""

    def __init__(self, text, starts):
        super().__init__(convert_charrefs=False)
        self.starts = starts
        self.found = []
        self.feed(text)
        self.close()

    def add(self, kind, name="", attributes=()):
        line, column = self.getpos()
        place = self.starts[line - 1] + column
        self.found.append((place, kind, name, dict(attributes)))

    def handle_starttag(self, tag, attributes):
        self.add("start", tag, attributes)

    def handle_startendtag(self, tag, attributes):
        self.add("empty", tag, attributes)

    def handle_endtag(self, tag):
        self.add("end", tag)

    def handle_data(self, data):
        self.add("text")

    def handle_comment(self, data):
        self.add("aside")

    handle_charref = handle_data
    handle_entityref = handle_data
    handle_decl = handle_comment
    handle_pi = handle_comment
    unknown_decl = handle_comment


class HTML(Document):
    """Its blocks of text, and the texts of `alt` and `title`."""

    declared = re.compile(
        rb"""<(?:\?xml[^>]*\sencoding|meta[^>]*\bcharset)\s*=\s*["']?\s*([\w-]+)""",
        re.I,
    )
    errors = "xmlcharrefreplace"

    def find_segments(self):
        self.events = Events(self.text, self.starts).found
        ends = [place for place, *_ in self.events[1:]] + [len(self.text)]
        opened = OpenElements()
        block = []
        for (start, kind, name, attributes), end in zip(self.events, ends):
            is_tag = kind in ("start", "empty", "end")
            if is_tag:
                opened.close(kind, name)
            if is_tag and name not in INLINE:
                yield from self.block(block)
                block = []
            elif kind == "text" and not opened.is_kept:
                block.append((start, end, True))
            elif block:
                block.append((start, end, False))
            if name == "html":
                code = attributes.get("lang") or attributes.get("xml:lang")
                self.language = code or self.language
            said = kept_by(attributes)
            if kind != "end" and not opened.keeps(said):
                yield from self.attributes(start, end, attributes)
            if kind == "start" and name not in VOID:
                opened.begin(name, said)
        yield from self.block(block)
        check_languages(self.path, (self.language, None), self.options)

    def block(self, parts):
        """The segment of consecutive texts and inline tags, if it has text."""
        if not parts:
            return
        first = parts[0][0]
        last = parts[-1][1]
        text = self.text[first:last]
        fixed = [
            (start - first, end - first) for start, end, shown in parts if not shown
        ]
        fixed += spans(TEMPLATE, text)
        where = f"line {self.line_of(first)}"
        soft = [found.span() for found in re.finditer(r"\s*\n\s*", text)]
        yield Segment(text, where, first, last, fixed, soft)

    def attributes(self, start, end, attributes):
        """The segments of a tag's texts."""
        if not any(attributes.get(name) for name in TEXTS):
            return
        for found in ATTRIBUTE.finditer(self.text, start, end):
            is_quoted = found.lastindex > 1
            if found[1].lower() not in TEXTS or not is_quoted:
                continue
            place = found.span(found.lastindex)
            where = f"line {self.line_of(start)}, {found[1]}"
            text = self.text[slice(*place)]
            yield Segment(text, where, *place, details="attribute")

    def plain(self, text):
        return html.unescape(text)

    def written(self, segment, text):
        return html.escape(text, quote=segment.details == "attribute")

    def structure(self, filled):
        """The tags with their attributes, and the content of scripts and styles."""
        found = []
        for _, kind, name, attributes in self.events:
            kept = {k: v for k, v in attributes.items() if k not in TEXTS}
            if kind != "text":
                found.append((kind, name, kept))
        return found


def kept_by(attributes):
    """Whether a tag says that nothing inside is translated; None if it says nothing."""
    said = (attributes.get("translate", "absent") or "yes").lower()
    if said in ("no", "yes"):  # without a value it is "yes"
        return said == "no"
    return True if "notranslate" in (attributes.get("class") or "").split() else None


class OpenElements:
    """The elements that are open at a place, but for inline ones that say nothing."""

    def __init__(self):
        self.names = []
        self.kept = []  # of each, if nothing inside of it is translated
        # How many of each name: an end tag that ends nothing costs little.
        self.counts = collections.Counter()

    @property
    def is_kept(self):
        """Whether nothing is translated here."""
        return bool(self.kept) and self.kept[-1]

    def keeps(self, said):
        """Whether a tag's texts stay: as it says, or None, as what it is inside of."""
        return self.is_kept if said is None else said

    def begin(self, name, said):
        """Open an element, unless it is an inline one that says nothing."""
        if name in OPAQUE:
            said = True
        if said is None and name in INLINE:
            return
        self.names.append(name)
        self.kept.append(self.keeps(said))
        self.counts[name] += 1

    def close(self, kind, name):
        """Close what a tag ends."""
        left = len(self.names)
        if kind == "end" and self.counts[name]:
            left -= 1 + self.names[::-1].index(name)
        place = left
        while kind != "end" and place:
            place -= 1
            enders = ENDED_BY.get(self.names[place])
            if enders is None:
                break
            if name in enders:
                left = place
        self.counts.subtract(self.names[left:])
        del self.names[left:]
        del self.kept[left:]
