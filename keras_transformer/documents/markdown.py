"""Markdown: markdown-it-py reads it, and tells what each of its rules took.

Source: CommonMark 0.31; tables and struck text as GitHub has them.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll

from .document import spans
from .prose import Prose

FRONT = re.compile(
    r"\A(---|\+\+\+)\r?\n.*?^(?:\1|\.\.\.)\s*?$", re.DOTALL | re.MULTILINE
)
# What dialects of Markdown add: footnotes, mathematics, templates, attributes, tasks,
# admonitions; code in HTML; line breaks that are meant.
KEPT = re.compile(
    r"\[\^[^\]\s]+\]:?|\$\$.+?\$\$|\$(?=\S)[^$\n]*(?<=\S)\$(?!\d)|\{[{%#].*?[}%#]\}"
    r"|\{[#.:][^}\n]*\}|^\[[ xX]\]|^(?:!!!|\?\?\?|:::|\[![A-Z]+\]).*$"
    r"|<(code|kbd|samp|var|pre)\b.*?</\1>|(?: {2,}|\\)\n",
    re.MULTILINE,
)
TEXT_RULES = ("text", "newline", "escape", "entity")
# What could begin markup in a translation, anywhere and at the beginning.
SPECIAL = re.compile(
    r"([\\`\[\]|~]|(?<!\s)\*|\*(?!\s)|(?<![^\W_])_|_(?![^\W_])|<(?=[\w/!?])"
    r"|&(?=#?\w+;))"
)
FIRST = re.compile(r"^(?=[#>+=!:?*-])|^(\d+)(?=[.)])")


class Markdown(Prose):
    """Its headings, paragraphs, items, quotes and cells; code and HTML blocks stay."""

    def find_segments(self):
        source = FRONT.sub(blank, self.text, count=1)
        parser = recording_parser()
        self.references = {}
        self.tokens = parser.parse(source, self.references)
        is_table = False
        last = 0
        for token in self.tokens:
            if token.type in ("table_open", "table_close"):
                is_table = token.type == "table_open"
            if token.type != "inline" or not token.content:
                continue
            content = token.content
            if is_table:
                content = content.replace("|", r"\|")
            fixed = self.fixed(parser, content)
            first = token.map[0]
            places = self.place_of(content, first, last)
            segment = self.segment(content, places, first, fixed)
            last = segment.end
            yield segment

    def fixed(self, parser, content):
        """The spans of a text that are never translated."""
        taken = []
        environment = {**self.references, "taken": taken}
        parser.inline.parse(content, parser, environment, [])
        found = spans(KEPT, content)
        for name, source, start, end, detail in taken:
            if source != content or name in TEXT_RULES:
                continue
            if name in ("link", "image"):
                inner, inner_end = detail
                if content[inner_end:end] in ("]", "][]"):  # the text is the reference
                    inner = inner_end
                found += [(start, inner), (inner_end, end)]
            elif name not in ("emphasis", "strikethrough"):
                found.append((start, end))
            elif any(token.type != "text" or not token.content for token in detail):
                found.append((start, end))
        return sorted(found)

    def plain(self, text):
        return unescapeAll(text)

    def written(self, segment, text):
        return FIRST.sub(r"\1\\", SPECIAL.sub(r"\\\1", text))

    def structure(self, filled):
        """All tokens but texts, and what links refer to."""
        references = self.references.get("references", {})
        found = [(name, link["href"]) for name, link in references.items()]
        for token in self.tokens:
            for part in [token, *(token.children or [])]:
                if part.type in ("text", "inline", "softbreak", "text_special"):
                    continue
                about = [part.type, part.tag, part.markup, part.info]
                if part.type != "image":
                    about.append(part.content)
                found.append([*about, part.attrs])
        return found


def recording_parser():
    """A parser whose rules note in `env["taken"]` what they take of a text."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    rules = parser.inline.ruler
    for name, rule in zip(rules.get_active_rules(), rules.getRules("")):
        rules.at(name, recording(name, rule))
    parser.disable("fragments_join")
    return parser


def recording(name, rule):
    def recorded(state, silent):
        start = state.pos
        count = len(state.tokens)
        is_taken = rule(state, silent)
        if is_taken and not silent and "taken" in state.env:
            detail = state.tokens[count:]
            if name in ("link", "image"):
                inner = start + len("![" if name == "image" else "[")
                end = state.md.helpers.parseLinkLabel(state, inner - 1, name == "link")
                detail = (inner, end)
            state.env["taken"].append((name, state.src, start, state.pos, detail))
        return is_taken

    return recorded


def blank(found):
    """As many empty lines as a match has."""
    return "\n" * found[0].count("\n")
