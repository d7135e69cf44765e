"""What Markdown and reStructuredText share: their parsers tell lines, not places."""

from ..config import expect
from .document import Document, Segment


class Prose(Document):
    """A document whose parser gives texts without what begins their lines."""

    def place_of(self, content, first, begin=0):
        """The place of each character of a text and of each end of a line, or None.

        The text begins in the line number `first`, from 0, at `begin` or later.
        """
        places = []
        for number, line in enumerate(content.split("\n"), first):
            if not 0 <= number < len(self.starts):
                return None
            begin = max(begin, self.starts[number])
            end = [*self.starts[number + 1 : number + 2], len(self.text)][0]
            found = self.find(line, begin, end)
            if found < 0:
                return None
            begin = found + len(line)
            places += range(found, begin + 1)
        return places

    def find(self, line, begin, end):
        """Where a line's text is between two places, or -1."""
        return self.text.find(line, begin, end)

    def segment(self, content, places, line, fixed, details=None):
        """The segment of a text as the parser gives it, with its characters' places.

        Its first line has the number `line`, from 0; `fixed` are spans that stay.
        """
        where = f"line {line + 1}"
        must = "be without tabs and odd ends of lines in a text"
        expect(places, f"{self.path}, {where},", must, content)
        start = places[0]
        end = places[len(content) - 1] + 1
        kept = [
            (places[first] - start, places[last - 1] + 1 - start)
            for first, last in fixed
            if first < last
        ]
        breaks = [n for n, character in enumerate(content) if character == "\n"]
        soft = [(places[n] - start, places[n + 1] - start) for n in breaks]
        text = self.text[start:end]
        return Segment(text, where, start, end, kept, soft, details=details)
