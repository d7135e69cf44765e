"""Markdown: markdown-it-py reads it, and tells what each of its rules took.

Source: CommonMark 0.31; tables and struck text as GitHub has them.
"""

import itertools
import re
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll

from .document import spans
from .prose import Prose
from .sentences import hidden

FRONT = re.compile(
    r"\A(---|\+\+\+)\r?\n.*?^(?:\1|\.\.\.)\s*?$", re.DOTALL | re.MULTILINE
)
# What dialects of Markdown add: footnotes, links of wikis, citations, names of places,
# mathematics, templates, attributes, tasks; what begins definitions and abbreviations;
# heads of admonitions and tabs; code in HTML; line breaks that are meant.
KEPT = re.compile(
    r"\[\^[^\]\s]+\]:?|\[\[[^\]\n]+\]\]|\[@[^\]\n]+\]|^\([^()\s]+\)=[ \t]*$"
    r"|\$\$(?s:.+?)\$\$|\$(?=\S)[^$\n]*(?<=\S)\$(?!\d)"
    r"|\{\{(?s:.*?)\}\}|\{%(?s:.*?)%\}|\{#(?s:.*?)#\}|\{[#.:][^}\n]*\}"
    r"|^\[[ xX]\]|^[ \t]*(?::[ \t]+|\*\[[^\]\n]+\]:)"
    r"|^[ \t]*(?:!!!|\?\?\?|:::|===[!+]?[ \t]+[\"']|\[![A-Z]+\]).*$"
    r"|<(code|kbd|samp|var|pre)\b(?s:.*?)</\1>|(?: {2,}|\\)\n",
    re.MULTILINE,
)
# Mathematics, and code of Jekyll and Hugo, which may have blank lines.
BLOCK = re.compile(
    r"(?:\$\$[ \t]*\n(?s:.*?)\$\$"
    r"|\{%-?\s*(highlight|comment)\b(?s:.*?)\{%-?\s*end\1\s*-?%\}"
    r"|\{\{[<%]\s*highlight\b(?s:.*?)\{\{[<%]\s*/highlight\s*[>%]\}\})[ \t]*$",
    re.MULTILINE,
)
# JavaScript in MDX; a sentence that begins with "import" or "export" is none.
NAMES = r"(?:[\w$]+|\{[^{}]*\}|\*\s+as\s+[\w$]+)"
STATEMENT = re.compile(
    rf"(?:import\s+(?:{NAMES}(?:\s*,\s*{NAMES})?\s+from\s+)?([\"'])[^\"'\n]+\1;?"
    r"|export\s+(?:(?:const|let|var)\s+[\w$]+\s*=|(?:default\s+)?(?:async\s+)?"
    r"(?:function|class)\s.*\{).*(?:\n.*\S.*)*)[ \t]*$",
    re.MULTILINE,
)
# The first line of an admonition, a tab, a footnote or a definition.
HOLDER = re.compile(
    r"\s*(?:(?:!!!|\?\?\?\+?)[ \t]*\w|===[!+]?[ \t]+[\"']|\[\^[^\]\s]+\]:|:[ \t])"
)
INDENT = 4  # of what else one of these holds
TEXT_RULES = ("text", "newline", "escape", "entity")
# What could begin markup in a translation, anywhere and at the beginning.
SPECIAL = re.compile(
    r"([\\`\[\]]|(?<=\S)~|~(?=~)|(?<!\s)\*|\*(?!\s)|(?<![^\W_])_|_(?![^\W_])"
    r"|<(?=[\w/!?])|&(?=#?\w+;))"
)
FIRST = re.compile(r"^(?=[#>+*-]|===|!!!|\?\?\?|:\s|:::)|^(\d+)(?=[.)])")


class Markdown(Prose):
    """Its headings, paragraphs, items, quotes and cells; code and HTML blocks stay."""

    def find_segments(self):
        source = FRONT.sub(blank, self.text, count=1)
        source = without_indents(source)
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
            segment = self.segment(content, places, first, fixed, is_table)
            last = segment.end
            yield segment
        self.note_anchors()

    def note_anchors(self):
        """Note how many links are to headings, whose names will change."""
        slugs = set()
        names = []
        for before, token in itertools.pairwise(self.tokens):
            if before.type == "heading_open":
                slugs.add(slug("".join(part.content for part in token.children)))
            for part in token.children or []:
                names.append(unquote(part.attrs.get("href", "")))
        count = sum(name[:1] == "#" and name[1:] in slugs for name in names)
        if count:
            self.remarks.append(f"{count} links to headings lead nowhere afterwards")

    def fixed(self, parser, content):
        """The spans of a text that are never translated."""
        taken = []
        environment = {**self.references, "taken": taken}
        parser.inline.parse(content, parser, environment, [])
        code = [own[2:4] for own in taken if own[:2] == ("backticks", content)]
        found = spans(KEPT, hidden(content, code))
        for name, source, start, end, detail in taken:
            if source != content or name in TEXT_RULES:
                continue
            if name in ("link", "image"):
                inner, inner_end = detail
                if name == "image":  # its text has markup of its own
                    inside = self.fixed(parser, content[inner:inner_end])
                    found += [(inner + first, inner + last) for first, last in inside]
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
        text = FIRST.sub(r"\1\\", SPECIAL.sub(r"\\\1", text))
        is_cell = segment.details
        return text.replace("|", r"\|") if is_cell else text

    def structure(self, filled):
        """All tokens but texts, and what links refer to."""
        references = self.references.get("references", {})
        found = [(name, link["href"]) for name, link in references.items()]
        for token in self.tokens:
            for part in [token, *(token.children or [])]:
                if part.type in ("text", "inline", "softbreak", "text_special"):
                    continue
                about = [part.type, part.tag, part.markup, part.info]
                if part.type == "image":
                    about += [one.type for one in part.children if one.markup]
                else:
                    about.append(part.content)
                found.append([*about, part.attrs])
        return found


def slug(heading):
    """What GitHub and others call a heading in addresses."""
    return re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-")


def recording_parser():
    """A parser whose rules note in `env["taken"]` what they take of a text."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    rules = parser.inline.ruler
    for name, rule in zip(rules.get_active_rules(), rules.getRules("")):
        rules.at(name, recording(name, rule))
    parser.disable("fragments_join")
    interrupts = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    blocks = parser.block.ruler
    blocks.before("fence", "kept", block_rule(BLOCK), interrupts)
    blocks.before("fence", "statement", block_rule(STATEMENT))
    return parser


def block_rule(pattern):
    """A rule of markdown-it-py's that takes what a pattern finds at a line's begin."""

    def taken(state, first, last, silent):
        begin = state.bMarks[first] + state.tShift[first]
        found = pattern.match(state.src, begin, state.eMarks[last - 1])
        if found is None or state.is_code_block(first):
            return False
        if not silent:
            state.line = first + found[0].count("\n") + 1
            state.push("html_block", "", 0).content = found[0]
        return True

    return taken


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


def without_indents(text):
    """A text whose `HOLDER` lines hold nothing: else it would be indented code."""
    held = []  # how far what the open ones hold is indented
    lines = []
    for line in text.split("\n"):
        shown = line.lstrip(" \t")
        margin = line[: len(line) - len(shown)].expandtabs(INDENT)
        while held and shown.strip() and len(margin) < held[-1]:
            held.pop()
        lines.append(margin[INDENT * len(held) :] + shown)
        if HOLDER.match(line):
            held.append(len(margin) + INDENT)
    return "\n".join(lines)
