"""Plain text: paragraphs between blank lines."""

import re

from .document import Document, Segment, spans

PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\S\n]*\S[^\n]*)*")


class Paragraphs(Document):
    """Plain text; a line break inside a sentence becomes a space."""

    def find_segments(self):
        for found in PARAGRAPH.finditer(self.text):
            place = f"line {self.line_of(found.start())}"
            soft = spans(r"\s*\n\s*", found[0])
            yield Segment(found[0], place, *found.span(), soft=soft)

    def structure(self, filled):
        return [len(self.segments)]
