"""A document: texts to translate at their places, and the rest as it stands.

A format finds the segments of a document and says where their translations go. They are
put into the text that was read; so all else stays as it is, to the byte.
"""

import bisect
import codecs
import dataclasses
import re

from ..config import expect
from ..data.reading import primary, speaks

BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


@dataclasses.dataclass
class Segment:
    """A text to translate, and where its translation goes.

    Attributes:
        text: the source as it stands in the document, with its markup.
        place: where it is, in words for a person.
        start, end: the characters of the document that the translation replaces.
        fixed: spans of `text` that are never translated.
        soft: spans of `text` that are white space inside a sentence: a line break, with
            what begins the next line.
        key: which part of the document's structure its translation changes.
        details: what else its format must know.
    """

    text: str
    place: str
    start: int
    end: int
    fixed: list = ()
    soft: list = ()
    key: object = None
    details: object = None


class Document:
    """The text of a file and its segments; a subclass knows a format.

    Attributes:
        path: what errors call it.
        options: an `Options`.
        text: all of it.
        starts: where each line begins.
        segments: what to translate, a list of `Segment`.
        remarks: what stays as it is, to be said once.
        language: the code of its language, if it says which.
    """

    declared = None  # finds the name of the encoding in the bytes; UTF-8 without
    errors = "strict"
    language = None

    def __init__(self, path, data, options):
        self.path = path
        self.options = options
        self.changes = []
        self.remarks = []
        self.bom, self.encoding = self._encoding(data)
        try:
            self.text = data.removeprefix(self.bom).decode(self.encoding)
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            what = f"be {self.encoding}; line {line} is not: {error.reason}"
            raise ValueError(f"{path} must {what}") from None
        self.starts = line_starts(self.text)
        self.segments = list(self.find_segments())

    def find_segments(self):
        """Yield the segments, in order."""
        raise NotImplementedError

    def structure(self, filled):
        """What a translation must leave as it is, for a comparison.

        `filled` are the keys of the segments that were translated.
        """
        raise NotImplementedError

    def head(self, data):
        """The bytes that may name the encoding."""
        return data[:4096]

    def fill(self, segment, pieces):
        """Put a translation in its place, as `(start, end, text)` in the segment."""
        for start, end, text in pieces:
            self.change(segment.start + start, segment.start + end, text)

    def plain(self, text):
        """A piece of a segment as a person reads it."""
        return text

    def written(self, segment, text):
        """A translated piece of a segment as it must be written."""
        return text

    def change(self, start, end, text):
        self.changes.append((start, end, text))

    def line_of(self, place):
        """The number of the line that holds a character."""
        return bisect.bisect_right(self.starts, place)

    def data(self):
        """The bytes of the document, with the translations."""
        text = spliced(self.text, sorted(self.changes))
        try:
            return self.bom + text.encode(self.encoding, self.errors)
        except UnicodeEncodeError as error:
            found = text[error.start : error.end]
            what = f"have an encoding for its translation; {self.encoding} has none"
            raise ValueError(f"{self.path} must {what} for {found!r}") from None

    def _encoding(self, data):
        for bom, encoding in BOMS.items():
            if data.startswith(bom):
                return bom, encoding
        found = self.declared and self.declared.search(self.head(data))
        name = found[1].decode("ascii") if found else "utf-8"
        try:
            return b"", codecs.lookup(name).name
        except LookupError:
            what = "name an encoding that Python knows"
            raise ValueError(f"{self.path} must {what}; received {name!r}") from None


@dataclasses.dataclass(frozen=True)
class Options:
    """What formats are told.

    Attributes:
        column: the column or key of the source, of tables.
        into: the column or key of the translation.
        languages: the codes of source and target; None where they are not known.
    """

    column: str | None = None
    into: str = "translation"
    languages: tuple = (None, None)

    def __post_init__(self):
        is_other = self.column != self.into
        expect(is_other, "into", "be a column other than the one read", self.into)


def spliced(text, changes):
    """A text with other text in some places.

    Example:
        >>> spliced("a cat", [(2, 5, "dog")])
        'a dog'
    """
    parts = []
    last = 0
    for start, end, new in changes:
        parts += [text[last:start], new]
        last = end
    return "".join([*parts, text[last:]])


def spans(pattern, text):
    """Where a pattern is in a text."""
    return [match.span() for match in re.finditer(pattern, text)]


def tabs(text):
    """Where the tabs of a text are, which part what is beside them."""
    return spans("\t+", text)


def line_starts(text):
    """Where each line of a text begins."""
    return [0, *(match.end() for match in re.finditer("\n", text))]


def are_alike(one, other):
    """Whether two codes say one language, and one region where both say any.

    Examples:
        >>> are_alike("pt_BR", "pt"), are_alike("pt-BR", "pt-PT")
        (True, False)
    """
    codes = [code.removesuffix("_XX") for code in (one, other)]  # mBART's, of no region
    return speaks(*codes) or speaks(*reversed(codes))


def check_languages(path, own, options):
    """Raise a `ValueError` if a document's languages are not those of the run.

    Codes of two letters are compared; a language that is not known is any.
    """
    for mine, other in zip(map(primary, own), map(primary, options.languages)):
        is_known = mine and other and len(mine) == len(other) == 2
        pair = " to ".join(map(str, options.languages))
        must = f"have the run's languages, {pair}"
        expect(not is_known or mine == other, path, must, own)
