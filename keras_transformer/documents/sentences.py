"""The sentences of a segment, and what of them is translated."""

import itertools
import re
import warnings

from ..data.reading import primary
from ..text.scripts import UNSPACED, script_of
from .document import spans

with warnings.catch_warnings():  # of Python 3.12 about its regular expressions
    warnings.simplefilter("ignore", SyntaxWarning)
    import pysbd
    from pysbd.languages import LANGUAGE_CODES

WEB = re.compile(
    r"(?:https?|ftp)://[^\s<>\"]*[^\s<>\".,;:!?)\]]|\b[\w.+-]+@[\w-]+\.\w+"
)
# What programs fill, and code of templates: %s, %5.2f, %1$s, %(name)s, {}, {name!r}.
PLACEHOLDER = re.compile(
    r"%\(\w+\)[-+ #0]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]\b"
    r"|(?<![\d%])%(?:\d+\$)?[-+#0]*\d*(?:\.\d+)?(?:hh?|ll?|[qjztL])?[diouxXeEfFgGcrs]\b"
    r"|\{\{.*?\}\}|\{%.*?%\}|\$?\{[\w.$\[\]-]*(?:[!:=][^{}\n]*)?\}"
)
# Markup of any format, inside of which no sentence ends.
WHOLE = re.compile(r"`+[^`\n]+`+|\*\*[^*\n]+\*\*|<[^<>\n]+>|\{[^{}\n]*\}")
# White space around a sentence; and punctuation, which cuts no entity such as &amp;.
BEFORE = re.compile(r"\s*")
AFTER = re.compile(r"\s*\Z")
MARKS_BEFORE = re.compile(r"(?:(?!&#?\w+;)[\W_])*")
MARKS_AFTER = re.compile(r"(?:[^\w;]|_)*\Z")
# A backslash before it says in Markdown that it is none.
ENTITY = re.compile(r"\\*(&#?\w+;?)")


def splitter_for(language):
    """What cuts sentences by the rules for a language; English where there are none.

    Source: Sadvilkar and Neumann 2020, PySBD.
    """
    code = primary(language)
    known = code if code in LANGUAGE_CODES else "en"
    return pysbd.Segmenter(language=known, char_span=True)


def pieces_of(segment, splitter, markup=None, plain=str):
    """What of a segment is translated: `(start, end, text)`, in order.

    A piece is a sentence without the white space around it. Markup inside a sentence
    cuts it, and its pieces are translated one by one, without the punctuation beside
    the markup. So do addresses and placeholders. What the model itself copies, its
    `Markup`, stays in the sentence where the format has it as text. `plain` gives a
    piece as a person reads it: one without letters, such as `&rarr;`, stays.
    """
    spaces = [*segment.soft, *entities_of_space(segment.text, plain)]
    text = hidden(segment.text, spaces)
    copied = [] if markup is None else markup.places(text)
    open_text = hidden(text, segment.fixed)
    names = [*spans(WEB, text), *spans(PLACEHOLDER, open_text)]
    fixed = [*segment.fixed, *(span for span in names if not overlaps(span, copied))]
    whole = [*fixed, *copied, *spans(WHOLE, text)]
    text = hidden(text, fixed)
    edges = {0, len(text)}
    edges.update(begins_of(text, splitter))
    for start, end in whole:
        edges.difference_update(range(start + 1, end))
    for span in fixed:
        edges.update(span)
    begins = {start for start, _ in fixed}
    ends = {end for _, end in fixed}
    for start, end in itertools.pairwise(sorted(edges)):
        piece = text[start:end]
        if not any(map(str.isalpha, plain(piece))):
            continue
        before = MARKS_BEFORE if start in ends else BEFORE
        after = MARKS_AFTER if end in begins else AFTER
        first = before.match(piece).end()
        last = after.search(piece).start()
        yield start + first, start + last, " ".join(piece[first:last].split())


def overlaps(span, others):
    """Whether a span shares a character with one of the others."""
    start, end = span
    return any(start < other_end and other < end for other, other_end in others)


def begins_of(text, splitter):
    """Where the sentences of a text begin.

    PySBD begins one behind the dot of ".env", too; Chinese has no spaces between them.
    """
    for span in splitter.segment(text):
        before = text[span.start - 1 : span.start]
        has_no_spaces = script_of(text[span.start]) in UNSPACED
        if before.isspace() or not before.isascii() or has_no_spaces:
            yield span.start


def entities_of_space(text, plain):
    """Where entities are white space to a person, such as `&nbsp;`."""
    for found in ENTITY.finditer(text):
        if plain(found[0])[-1:].isspace():
            yield found.span(1)


def hidden(text, places):
    """A text with spaces in some places."""
    for start, end in places:
        text = text[:start] + " " * (end - start) + text[end:]
    return text
