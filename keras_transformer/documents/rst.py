"""reStructuredText: docutils reads it, without what Sphinx adds but its directives.

Source: docutils' reStructuredText Markup Specification.
"""

import collections
import re
import warnings

from docutils import frontend, nodes, utils
from docutils.parsers.rst import Directive, Parser, directives

from .document import spans, spliced
from .prose import Prose

TEXTS = (nodes.paragraph, nodes.title, nodes.term, nodes.rubric, nodes.attribution)
TEXTS += (nodes.caption, nodes.line)
# The cells of a table have a fixed width.
ASIDE = (nodes.system_message, nodes.substitution_definition, nodes.table)
LITERAL = (nodes.literal_block, nodes.comment, nodes.literal, nodes.math_block)
LITERAL += (nodes.math, nodes.doctest_block, nodes.field_name, nodes.raw)
MARKS = {nodes.emphasis: 1, nodes.strong: 2}  # and the characters of each
LINK = re.compile(r"`(.+?)\s*<[^<>`]+>`__?", re.DOTALL)
KEPT = re.compile(r"\s*::\s*\Z")
CLASSIFIER = re.compile(r" : .*\Z")
# What could begin markup in a translation, anywhere and at the beginning.
SPECIAL = re.compile(r"([\\`*|]|_(?![^\W_])|:(?=:))")
FIRST = re.compile(r"^(?=[-+:.>=~#^\"']|\(?\w{1,4}[.)]\s)")
# Directives of Sphinx that hold prose; the others stay as they are.
VERSIONS = "versionadded versionchanged deprecated versionremoved seealso".split()
OBJECTS = (
    "function class method classmethod staticmethod attribute data exception module "
    "decorator property describe option envvar confval"
).split()
DOMAINS = ("", "py:", "c:", "cpp:", "js:", "std:")


class Described(Directive):
    """The description of an object: a signature, and what is said of it."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = collections.defaultdict(lambda: directives.unchanged, noindex=str)

    def run(self):
        node = nodes.container(names=[self.name])
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class Version(Described):
    """What changed; its text begins beside the number of the version."""

    optional_arguments = 0
    option_spec = None


class RST(Prose):
    """Its paragraphs, titles, items and captions, and what Sphinx's directives say."""

    def find_segments(self):
        for name in VERSIONS:
            directives.register_directive(name, Version)
        for domain in DOMAINS:
            for name in OBJECTS:
                directives.register_directive(domain + name, Described)
        settings = frontend.get_default_settings(Parser)
        settings.report_level = settings.halt_level = 5
        settings.file_insertion_enabled = settings.raw_enabled = False
        self.tree = utils.new_document(str(self.path), settings)
        Parser().parse(self.text, self.tree)
        tables = len(list(self.tree.findall(nodes.table)))
        if tables:
            message = f"{self.path}: the cells of {tables} tables stay as they are"
            warnings.warn(message, stacklevel=2)
        last = 0
        for node in self.tree.findall(lambda node: isinstance(node, TEXTS)):
            if not node.rawsource or is_aside(node):
                continue
            content = node.rawsource
            # Of a title it is the line of its underline; and so on.
            guesses = [node.line + by for by in (-1, -2, -3, 0)]
            found = [(line, self.place_of(content, line, last)) for line in guesses]
            found = [pair for pair in found if pair[1]] or [(guesses[0], None)]
            line, places = found[0]
            is_title = isinstance(node, nodes.title)
            details = "title" if is_title else None
            segment = self.segment(content, places, line, self.fixed(node), details)
            last = segment.end
            yield segment

    def fixed(self, node):
        """The spans of a text that are never translated."""
        content = node.rawsource
        found = spans(KEPT, content)
        if isinstance(node, nodes.term):
            found += spans(CLASSIFIER, content)
        if "version" in str(node.parent.get("names")) and node is node.parent[0]:
            found += spans(r"\A\S+", content)
        last = 0
        for child in node.children:
            raw = getattr(child, "rawsource", "")
            start = content.find(raw, last) if raw else -1
            if start < 0 or isinstance(child, nodes.target):
                continue
            last = start + len(raw)
            marks = MARKS.get(type(child))
            link = LINK.fullmatch(raw)
            inner = (start, start)
            if marks:
                inner = (start + marks, last - marks)
            elif link:
                inner = (start + link.start(1), start + link.end(1))
            found += [(start, inner[0]), (inner[1], last)]
        return sorted(found)

    def fill(self, segment, pieces):
        super().fill(segment, pieces)
        if segment.details != "title":
            return
        width = utils.column_width(spliced(segment.text, pieces))
        number = self.line_of(segment.start) - 1
        for other in (number - 1, number + 1):
            self.widen(other, width)

    def widen(self, number, width):
        """Make a line above or below a title at least as long as the title is."""
        for found in re.finditer(r"([!-/:-@\[-`{-~])\1*[ \t]*$", self.line(number)):
            end = self.starts[number] + found.end()
            more = width - len(found[0].rstrip())
            if found.start() == 0 and more > 0:
                self.change(end, end, found[1] * more)

    def line(self, number):
        """A line of the document, from 0; empty where there is none."""
        if not 0 <= number < len(self.starts):
            return ""
        return self.text[self.starts[number] :].partition("\n")[0].rstrip("\r")

    def plain(self, text):
        return re.sub(r"\\(\S)", r"\1", text)

    def written(self, segment, text):
        return FIRST.sub(r"\\", SPECIAL.sub(r"\\\1", text))

    def structure(self, filled):
        """The tree without its texts, but with what is literal."""
        found = []
        for message in list(self.tree.findall(nodes.system_message)):
            message.parent.remove(message)
        for node in self.tree.findall(nodes.Element):
            about = [node.tagname, node.get("refuri"), node.get("uri")]
            if isinstance(node, LITERAL):
                about.append(node.astext())
            found.append(about)
        return found


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
