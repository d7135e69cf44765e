"""The sentences of a segment, and what of them is translated."""

import itertools
import re

import pysbd
from pysbd.languages import LANGUAGE_CODES

from .document import primary

WEB = re.compile(
    r"(?:https?|ftp)://[^\s<>\"]*[^\s<>\".,;:!?)\]]|\b[\w.+-]+@[\w-]+\.\w+"
)


def splitter_for(language):
    """What cuts sentences by the rules for a language; English where there are none.

    Source: Sadvilkar and Neumann 2020, PySBD.
    """
    code = primary(language)
    known = code if code in LANGUAGE_CODES else "en"
    return pysbd.Segmenter(language=known, char_span=True)


def pieces_of(segment, splitter):
    """What of a segment is translated: `(start, end, text)`, in order.

    A piece is a sentence without the white space around it. Markup inside a sentence
    cuts it, and its pieces are translated one by one: what protects markup, has the
    whole sentence translated and restores it would stand here.
    """
    text = hidden(segment.text, segment.soft)
    fixed = [*segment.fixed, *(match.span() for match in WEB.finditer(text))]
    text = hidden(text, fixed)
    edges = {0, len(text)}
    edges.update(span.start for span in splitter.segment(text))
    for start, end in fixed:
        edges.difference_update(range(start + 1, end))
        edges.update([start, end])
    for start, end in itertools.pairwise(sorted(edges)):
        piece = text[start:end]
        if any(map(str.isalpha, piece)):
            start += len(piece) - len(piece.lstrip())
            yield start, start + len(piece.strip()), " ".join(piece.split())


def hidden(text, places):
    """A text with spaces in some places."""
    for start, end in places:
        text = text[:start] + " " * (end - start) + text[end:]
    return text
