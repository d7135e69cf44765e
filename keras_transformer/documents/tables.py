"""CSV and TSV: a column of sentences, and one of translations.

Source: RFC 4180; in TSV, as in IANA's text/tab-separated-values, quotes mean nothing.
"""

import csv
import io
import re

from ..config import expect
from .document import Document, Segment, spliced, tabs


class CSV(Document):
    """Comma-separated values with a header; a semicolon may separate them, too."""

    delimiter = ","
    field = r'"(?:[^"]|"")*"|[^"{0}\r\n][^{0}\r\n]*|'
    has_quotes = True

    def find_segments(self):
        column = self.options.column
        expect(column is not None, "column", f"be given for {self.path}", column)
        header = self.text.partition("\n")[0]
        if self.has_quotes and "," not in header and ";" in header:
            self.delimiter = ";"
        rows = list(self.rows())
        names = [self.value(cell) for cell in rows[0]] if rows else []
        self.read_header(rows, names)
        index = names.index(column)
        for number, row in enumerate(rows[1:], 1):
            where = f"line {self.line_of(row[0][0])}"
            count = len(row)
            must = f"have {len(names)} cells"
            expect(count == len(names), f"{self.path}, {where},", must, count)
            text = self.value(row[index])
            before = ""
            if self.into < count:
                place = row[self.into]
            else:
                before = self.delimiter
                end = row[-1][1]
                place = (end, end)
            if text.strip() and not self.raw(place).strip(' "'):
                yield Segment(
                    text,
                    where,
                    *place,
                    fixed=tabs(text),
                    key=number,
                    details=before,
                )
            elif before:
                self.change(*place, before)

    def read_header(self, rows, names):
        """Find the column of translations; a new one gets its name in the header."""
        for name in (self.options.column, self.options.into):
            is_there = names.count(name) == 1
            is_new = name == self.options.into and name not in names
            expect(is_there or is_new, "column", f"be one of {names}", name)
        self.quotes_all = all(self.raw(cell).startswith('"') for cell in rows[0])
        self.into = len(names)
        if self.options.into in names:
            self.into = names.index(self.options.into)
        else:
            end = rows[0][-1][1]
            self.change(end, end, self.delimiter + self.cell(self.options.into))

    def rows(self):
        """Yield the places of the cells of each row; empty lines are none."""
        field = re.compile(self.field.format(self.delimiter))
        line_end = re.compile(r"\r\n|\n|\r|\Z")
        row = []
        place = 0
        while place < len(self.text):
            found = field.match(self.text, place)
            row.append(found.span())
            place = found.end()
            if self.text.startswith(self.delimiter, place):
                place += 1
                if place < len(self.text):
                    continue
                row.append((place, place))
            ended = line_end.match(self.text, place)
            where = f"{self.path}, line {self.line_of(place)},"
            expect(ended, where, "have whole quotes", self.text[place : place + 20])
            if row[0][0] < place:
                yield row
            row = []
            place = ended.end()

    def raw(self, cell):
        return self.text[slice(*cell)]

    def value(self, cell):
        """What a cell says."""
        raw = self.raw(cell)
        if self.has_quotes and raw.startswith('"'):
            return raw[1:-1].replace('""', '"')
        return raw

    def cell(self, text):
        """A text as a cell is written."""
        if not self.has_quotes:
            return " ".join(re.split(r"[\t\r\n]+", text))
        if self.quotes_all or re.search(rf'["{self.delimiter}\r\n]', text):
            return '"' + text.replace('"', '""') + '"'
        return text

    def fill(self, segment, pieces):
        text = self.cell(spliced(segment.text, pieces))
        self.change(segment.start, segment.end, segment.details + text)

    def structure(self, filled):
        """The cells as the standard library reads them, without new translations."""
        quoting = csv.QUOTE_MINIMAL if self.has_quotes else csv.QUOTE_NONE
        # It holds for the process: never less than others asked for.
        csv.field_size_limit(max(csv.field_size_limit(), len(self.text)))
        lines = io.StringIO(self.text, newline="")
        rows = csv.reader(lines, delimiter=self.delimiter, quoting=quoting)
        rows = filter(None, rows)
        found = []
        for number, row in enumerate(rows):
            translation = "".join(row[self.into : self.into + 1])
            others = row[: self.into] + row[self.into + 1 :]
            is_new = number == 0 or number in filled
            found.append(others if is_new else [*others, translation])
        return found


class TSV(CSV):
    """Tab-separated values with a header."""

    delimiter = "\t"
    field = "[^{0}\r\n]*"
    has_quotes = False
