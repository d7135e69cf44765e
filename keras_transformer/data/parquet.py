"""Sentences in a column of a Parquet file, and their translations in another."""

from ..config import expect
from ..process.extras import needed
from ..text.opened import readable

needed("pyarrow", extra="bulk")

import pyarrow as pa  # noqa: E402
from pyarrow import parquet  # noqa: E402

TRANSLATION = pa.field("translation", pa.string())
ROWS = 1024  # of a Parquet file that are in memory at a time


def read_column(path, column):
    """The strings of a column, one at a time; a missing one is empty.

    Raises:
        ValueError: if the file cannot be read, has no such column of strings, or has
            one called `translation`.
    """
    damage = readable(path, "Parquet file", pa.ArrowException)
    with damage, parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        expect(names.count(column) == 1, "column", f"be one of {names}", column)
        kind = file.schema_arrow.field(column).type
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        expect(is_text, f"column {column!r}", "hold strings", str(kind))
        is_new = TRANSLATION.name not in names
        expect(is_new, str(path), f"have no column {TRANSLATION.name!r}", names)
        for batch in file.iter_batches(ROWS, columns=[column]):
            for text in batch.column(column).to_pylist():
                yield text or ""


def write_translations(file, texts, path, column):
    """Write the Parquet file `path` to a binary file, with one more column.

    `texts` are an iterator of translations; that of a missing sentence is left out.
    """
    with parquet.ParquetFile(path) as table:
        schema = table.schema_arrow.append(TRANSLATION)
        with parquet.ParquetWriter(file, schema) as writer:
            for batch in table.iter_batches(ROWS):
                given = batch.column(column).is_valid().to_pylist()
                pairs = zip(given, texts)
                own = [text if is_given else None for is_given, text in pairs]
                added = pa.array(own, TRANSLATION.type)
                writer.write_batch(batch.append_column(TRANSLATION, added))
