"""JSON lines: an object a line, with a key for sentences and one for translations."""

import json
import re

from ..config import expect
from ..data.tables import parsed
from .document import Document, Segment, spliced, tabs

EMPTY = r'{}\s*:\s*(""|null)'


class JSONLines(Document):
    """Each object gets the key of translations where it has none."""

    def find_segments(self):
        column = self.options.column
        expect(column is not None, "column", f"be given for {self.path}", column)
        self.rows = []
        for line in re.finditer(r"[^\r\n]*[^\s][^\r\n]*", self.text):
            where = f"line {self.line_of(line.start())}"
            row = parsed(line[0], f"{self.path}, {where},")
            self.rows.append(row)
            text = row.get(column)
            is_text = text is None or isinstance(text, str)
            must = f"have a string in {column!r}"
            expect(is_text, f"{self.path}, {where},", must, text)
            place, before = self.place(row, line, where)
            if place and text and text.strip():
                number = len(self.rows)
                yield Segment(
                    text,
                    where,
                    *place,
                    fixed=tabs(text),
                    key=number,
                    details=before,
                )
            elif before and row:
                self.change(*place, before + json.dumps(text))
        known = {name for row in self.rows for name in row}
        expect(column in known, "column", f"be one of {sorted(known)}", column)

    def place(self, row, line, where):
        """The place of a row's translation, and the key where it has none yet.

        There is no place where something is already.
        """
        name = json.dumps(self.options.into, ensure_ascii=False)
        if self.options.into not in row:
            end = line.start() + len(line[0][: line[0].rindex("}")].rstrip())
            return (end, end), f", {name}: "
        if row[self.options.into]:
            return None, ""
        found = list(re.finditer(EMPTY.format(re.escape(name)), line[0]))
        count = len(found)
        expect(count == 1, f"{self.path}, {where},", f"have {name} once", count)
        start, end = found[0].span(1)
        return (line.start() + start, line.start() + end), ""

    def fill(self, segment, pieces):
        text = json.dumps(spliced(segment.text, pieces), ensure_ascii=False)
        self.change(segment.start, segment.end, segment.details + text)

    def structure(self, filled):
        """The objects, without new translations."""
        found = []
        for number, row in enumerate(self.rows, 1):
            own = dict(row)
            if number in filled or not own.get(self.options.into):
                own.pop(self.options.into, None)
            found.append(list(own.items()))
        return found
