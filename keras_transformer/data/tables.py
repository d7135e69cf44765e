"""Rows of tables: TSV, CSV, JSON, JSON lines and Parquet, read a piece at a time."""

import collections
import csv
import io
import itertools
import json
import re

from ..config import expect, refused
from ..process.extras import needed
from ..text.lines import read_lines
from ..text.normalization import has_text
from ..text.opened import opened, opened_text, readable
from .reading import SIDES

# Of a language, as names of columns: en, EN, pt-BR, pt_br, es-419, zh-Hant, eng_Latn.
CODE = re.compile(
    "(?:[a-z]{2}|[A-Z]{2}|[a-z]{3}(?=[_-][A-Z][a-z]))"
    "(?:[_-](?:[a-z]{2}|[A-Z]{2}|[A-Z][a-z]{3}|[0-9]{3}))*"
)
NAMED = re.compile(r"sep=([^\w\s\"]|\t)\s*", re.IGNORECASE)  # Excel's first line
DELIMITERS = (",", ";", "\t")
LARGEST_JSON = 1 << 28  # bytes of a file that is one JSON value
BEGIN = 1 << 12  # bytes that say whether it is one
ROWS = 1024  # of a Parquet file that are in memory at a time


def tsv_pairs(path, name, reading):
    """Lines of cells between tabs, without quotes."""
    lines = enumerate(read_lines(path, name), 1)
    rows = ((number, line.split("\t")) for number, line in lines if has_text(line))
    return reading.rows(dicts(rows, name, reading), name)


def csv_pairs(path, name, reading):
    """Cells that may be quoted and then hold anything."""
    damage = readable(name, "CSV file in UTF-8", UnicodeDecodeError)
    with damage, opened_text(path) as stream:
        text = io.TextIOWrapper(stream, "utf-8", newline="")
        first = text.readline()
        lines_before = 0
        named = NAMED.fullmatch(first)
        if named:
            first = text.readline()
            lines_before = 1
        delimiter = named[1] if named else delimiter_of(first)
        lines = itertools.chain([first], text)
        table = csv.reader(lines, delimiter=delimiter, strict=True)
        rows = numbered(table, name, lines_before)
        yield from reading.rows(dicts(rows, name, reading), name)


def numbered(table, name, lines_before):
    """The rows of a CSV file that are not empty, each with the line where it ends."""
    end = lines_before
    try:
        for row in table:
            end = lines_before + table.line_num
            if row:
                yield end, row
    except csv.Error as error:  # a quote that is none may take many lines
        where = f"{name}, line {end + 1},"
        raise refused(where, "begin a row with whole quotes", str(error)) from None


def delimiter_of(line):
    """What parts the cells of a CSV file, by its first line."""
    for delimiter in DELIMITERS:
        try:
            (row,) = csv.reader([line], delimiter=delimiter, strict=True)
        except (csv.Error, ValueError):  # a quoted cell that does not end so
            continue
        if len(row) > 1:
            return delimiter
    return DELIMITERS[0]


def dicts(rows, name, reading):
    """Rows as dicts, by the names in the first row or else by numbers.

    Args:
        rows: pairs of the line where a row ends, and its cells.
        name: of the file, for errors.
        reading: what is asked for.
    """
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    _, cells = first
    names = [str(number) for number in range(1, len(cells) + 1)]
    if is_header(cells, reading):
        names = cells
        counts = collections.Counter(names)
        is_clear = all(counts[one] == 1 for one in names if may_be_side(one, reading))
        expect(is_clear, name, "have columns of different names", names)
    else:
        rows = itertools.chain([first], rows)
    for number, cells in rows:
        must = "have two columns"
        if reading.columns or len(names) > 2:
            must = f"have {len(names)} columns as the first"
        is_right = len(cells) == len(names) and len(cells) > 1
        expect(is_right, f"{name}, line {number},", must, len(cells))
        yield dict(zip(names, cells))


def is_header(cells, reading):
    """Whether the cells of the first row are names of columns."""
    if reading.columns is not None:
        are_numbers = all(column.isdigit() for column in reading.columns)
        return not are_numbers or set(reading.columns) <= set(cells)
    names = {cell.strip().casefold() for cell in cells}
    has_languages = sum(map(reading.asks_for, cells)) >= 2
    are_codes = all(map(CODE.fullmatch, cells))
    has_sides = any(names.issuperset(sides) for sides in SIDES)
    return has_languages or are_codes or has_sides


def may_be_side(column, reading):
    """Whether a column's name may be what is read of a table."""
    sides = set(itertools.chain(*SIDES))
    is_asked = column in (reading.columns or ()) or reading.asks_for(column)
    return is_asked or CODE.fullmatch(column) or column.casefold() in sides


def jsonl_pairs(path, name, reading):
    """An object a line; in a `.json` file also a list of objects."""
    with readable(name, "JSON file"), opened_text(path) as stream:
        is_list = stream.read(BEGIN).lstrip().startswith(b"[")
    if is_list:
        rows = objects_in(path, name)
    else:
        rows = objects(path, name)
    return reading.rows(rows, name)


def objects(path, name):
    """The objects of a file of JSON lines."""
    for number, line in enumerate(read_lines(path, name), 1):
        if has_text(line):
            yield parsed(line, f"{name}, line {number},")


def objects_in(path, name):
    """The objects of a file that is a JSON list; it is read at once."""
    with readable(name, "JSON file"), opened_text(path) as stream:
        text = stream.read(LARGEST_JSON + 1)
    must = f"have at most {LARGEST_JSON:,} bytes, or be JSON lines"
    expect(len(text) <= LARGEST_JSON, name, must, "more")
    rows = value_of(text, name)
    for number, row in enumerate(rows, 1):
        expect(isinstance(row, dict), f"{name}, row {number},", "be an object", row)
    return rows


def parsed(text, where):
    """The object of a JSON text."""
    row = value_of(text, where)
    expect(isinstance(row, dict), where, "be an object", row)
    return row


def value_of(text, where):
    """The value of a JSON text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} must be JSON; received {error}") from None


def parquet_pairs(path, name, reading):
    """The rows of a Parquet file."""
    needed("pyarrow", extra="data")
    import pyarrow
    from pyarrow import parquet

    damage = readable(name, "Parquet file", pyarrow.ArrowException)
    with damage, opened(path) as stream, parquet.ParquetFile(stream) as file:
        batches = file.iter_batches(ROWS)
        rows = itertools.chain.from_iterable(map(rows_of, batches))
        yield from reading.rows(rows, name)


def rows_of(batch):
    return batch.to_pylist()


def frame_rows(frame):
    """The rows of a pandas data frame."""
    names = [str(name) for name in frame.columns]
    frame = frame.astype(object).where(frame.notna(), None)  # NA equals nothing
    return (dict(zip(names, row)) for row in frame.itertuples(index=False, name=None))
