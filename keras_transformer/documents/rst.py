"""reStructuredText: docutils reads it, without what Sphinx adds but its directives.

Source: docutils' reStructuredText Markup Specification.
"""

import collections
import re

from docutils import frontend, nodes, utils
from docutils.parsers.rst import Directive, Parser, directives
from docutils.parsers.rst.directives.admonitions import Note

from .document import spans, spliced
from .prose import Prose

TEXTS = (nodes.paragraph, nodes.title, nodes.term, nodes.rubric, nodes.attribution)
TEXTS += (nodes.caption, nodes.line)
# The cells of a table have a fixed width.
ASIDE = (nodes.system_message, nodes.substitution_definition, nodes.table)
LITERAL = (nodes.literal_block, nodes.comment, nodes.literal, nodes.math_block)
LITERAL += (nodes.math, nodes.doctest_block, nodes.field_name, nodes.raw)
LITERAL += (nodes.option_string,)
MARKS = {nodes.emphasis: 1, nodes.strong: 2}  # and the characters of each
LINK = re.compile(r"`(.+?)\s*<[^<>`]+>`__?", re.DOTALL)
KEPT = re.compile(r"\s*::\s*\Z")
CLASSIFIER = re.compile(r" : .*\Z")
# A line above or below a title.
RULE = re.compile(r"([!-/:-@\[-`{-~])\1*(?=[ \t]*\r?$)", re.MULTILINE)
# What could begin markup in a translation, anywhere and at the beginning.
SPECIAL = re.compile(r"([\\`*|]|_(?![^\W_])|:(?=:))")
FIRST = re.compile(r"^(?=[-+:.>=~#^\"'])")
# What begins an item, unless a line follows that is not indented.
NUMBER = re.compile(r"\(?\w{1,4}[.)]\s")
# Directives of Sphinx that hold prose; the others stay as they are.
VERSIONS = "versionadded versionchanged deprecated versionremoved".split()
OBJECTS = (
    "function class method classmethod staticmethod attribute data exception module "
    "decorator property describe option envvar confval"
).split()
DOMAINS = ("", "py:", "c:", "cpp:", "js:", "std:")


def any_option():
    """What reads the value of an option that nobody here knows."""
    return directives.unchanged


class Described(Directive):
    """The description of an object: a signature, and what is said of it."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    holder = nodes.container
    option_spec = collections.defaultdict(any_option, noindex=str)

    def run(self):
        node = self.holder()
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class Change(nodes.container):
    """What a version changed, a paragraph that begins with its number."""


class Version(Described):
    """Gives a `Change`."""

    holder = Change
    optional_arguments = 0
    option_spec = None


class RST(Prose):
    """Its paragraphs, titles, items and captions, and what Sphinx's directives say."""

    def find_segments(self):
        for name in VERSIONS:
            directives.register_directive(name, Version)
        directives.register_directive("seealso", Note)
        for domain in DOMAINS:
            for name in OBJECTS:
                directives.register_directive(domain + name, Described)
        settings = frontend.get_default_settings(Parser)
        settings.report_level = 5
        settings.halt_level = 5
        settings.file_insertion_enabled = False
        settings.raw_enabled = False
        self.tree = utils.new_document(str(self.path), settings)
        Parser().parse(self.text, self.tree)
        self.note_kept()
        last = 0
        for node in self.tree.findall(is_text):
            if is_aside(node):
                continue
            content = node.rawsource
            line = node.line
            if line is None and isinstance(node, nodes.title):  # as that of a topic
                line = node.parent.line
            line, places = self.found(content, line, last)
            fixed = self.fixed(node)
            segment = self.segment(content, places, line, fixed, is_heading(node))
            last = segment.end
            yield segment

    def note_kept(self):
        """Note how many texts stay that a reader sees."""
        tables = len(list(self.tree.findall(nodes.table)))
        titles = len(list(self.tree.findall(self.is_named_heading)))
        kept = {
            f"the cells of {tables} tables": tables,
            f"{titles} titles that references name": titles,
        }
        for what, count in kept.items():
            if count:
                self.remarks.append(f"{what} stay as they are")

    def found(self, content, line, last):
        """The first line of a text, from 0, and its `place_of`, behind the last one."""
        # Of a title the line is that of its underline; of some texts there is none.
        guesses = range(self.line_of(last) - 1, len(self.starts))
        if line is not None:
            guesses = (line - 1, line - 2, line - 3, line)
        for guess in guesses:
            places = self.place_of(content, guess, last)
            if places:
                return guess, places
        return guesses[0], None

    def find(self, line, begin, end):
        """Where a text ends its line: what begins the line may have its words."""
        last = begin + len(self.text[begin:end].rstrip())
        is_there = self.text.endswith(line, begin, last)
        return last - len(line) if is_there else -1

    def is_name(self, node):
        """Whether a reference somewhere names the text of a title or of a link."""
        return nodes.fully_normalize_name(node.astext()) in self.tree.refnames

    def is_named_heading(self, node):
        return is_heading(node) and self.is_name(node)

    def fixed(self, node):
        """The spans of a text that are never translated."""
        content = node.rawsource
        if self.is_named_heading(node):
            return [(0, len(content))]
        found = spans(KEPT, content)
        if isinstance(node, nodes.term):
            found += spans(CLASSIFIER, content)
        if isinstance(node.parent, Change) and node is node.parent[0]:
            found += spans(r"\A\S+", content)
        last = 0
        for child in node.children:
            raw = getattr(child, "rawsource", "")
            start = content.find(raw, last) if raw else -1
            if start < 0 or is_of_link(child):
                continue
            last = start + len(raw)
            marks = MARKS.get(type(child))
            link = LINK.fullmatch(raw)
            inner = (start, start)
            if marks:
                inner = (start + marks, last - marks)
            elif link and not self.is_name(child):
                inner = (start + link.start(1), start + link.end(1))
            found += [(start, inner[0]), (inner[1], last)]
        return sorted(found)

    def fill(self, segment, pieces):
        has_line_below = segment.details
        is_number = pieces and NUMBER.match(spliced(segment.text, pieces))
        if is_number and not has_line_below:
            pieces = [(0, 0, "\\"), *pieces]
        super().fill(segment, pieces)
        if not has_line_below:
            return
        width = utils.column_width(spliced(segment.text, pieces))
        number = self.line_of(segment.start) - 1
        for begin in self.starts[max(0, number - 1) : number + 2]:
            found = RULE.match(self.text, begin)
            if found:  # it must be as long as the title
                more = width - len(found[0])
                self.change(found.end(), found.end(), found[1] * more)

    def plain(self, text):
        return re.sub(r"\\(?:\s|(\S))", r"\1", text)

    def written(self, segment, text):
        return FIRST.sub(r"\\", SPECIAL.sub(r"\\\1", text))

    def structure(self, filled):
        """The tree without its texts, but with what is literal or a name."""
        names = {name for name in self.tree.refnames if self.tree.nameids.get(name)}
        found = [names]
        for message in list(self.tree.findall(nodes.system_message)):
            message.parent.remove(message)
        for node in self.tree.findall(nodes.Element):
            about = [node.tagname, node.get("refuri"), node.get("uri")]
            if isinstance(node, LITERAL):
                about.append(node.astext())
            if isinstance(node, nodes.target) and not is_of_link(node):
                about.append(node["names"])
            found.append(about)
        return found


def is_text(node):
    """Whether something holds a text that the parser kept as it was written."""
    return isinstance(node, TEXTS) and node.rawsource


def is_heading(node):
    """Whether this is the title of a section, with a line below."""
    return isinstance(node, nodes.title) and isinstance(node.parent, nodes.section)


def is_of_link(node):
    """Whether this is the target that a link such as `text <address>`_ makes."""
    return isinstance(node, nodes.target) and ("refuri" in node or "refname" in node)


def is_aside(node):
    """Whether something around a text says that it stays as it is."""
    while node.parent is not None:
        if isinstance(node, ASIDE) or is_front(node):
            return True
        node = node.parent
    return False


def is_front(node):
    """Whether this is the list of fields above all text, such as `:author:`."""
    above = (nodes.title, nodes.comment, nodes.target)
    before = node.parent[: node.parent.index(node)]
    is_first = all(isinstance(other, above) for other in before)
    is_top = node.parent.parent in (None, node.document)
    return isinstance(node, nodes.field_list) and is_top and is_first
