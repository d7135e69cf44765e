"""Which reader a file has; the pairs of files, folders and archives."""

import collections
import itertools
from pathlib import Path

from ..config import expect
from ..text.lines import LONGEST_LINE, read_lines
from ..text.opened import opened, readable, without_packing
from .archives import is_archive, unpacked
from .catalogues import po_pairs, toolkit_pairs
from .reading import language_in
from .tables import csv_pairs, jsonl_pairs, parquet_pairs, tsv_pairs
from .xml import tmx_pairs, xliff_pairs

READERS = {
    ".tsv": tsv_pairs,
    ".tab": tsv_pairs,
    ".csv": csv_pairs,
    ".json": jsonl_pairs,
    ".jsonl": jsonl_pairs,
    ".ndjson": jsonl_pairs,
    ".parquet": parquet_pairs,
    ".po": po_pairs,
    ".pot": po_pairs,
    ".tmx": tmx_pairs,
    ".xlf": xliff_pairs,
    ".xliff": xliff_pairs,
    ".sdlxliff": xliff_pairs,
    ".mqxliff": xliff_pairs,
    **dict.fromkeys((".mo", ".gmo", ".ts", ".qph", ".tbx", ".utx"), toolkit_pairs),
}


def reader_of(path, name=None):
    """The reader of a file by its ending, or None; `.txt` files may have tabs.

    `name` is what errors call it.
    """
    ending = Path(without_packing(path).lower()).suffix
    if ending == ".txt" and path.is_file():
        with readable(name or path, "text file"), opened(path) as stream:
            return tsv_pairs if b"\t" in stream.readline(LONGEST_LINE) else None
    return READERS.get(ending)


def pairs_in(paths, reading, named=str, is_unpacked=False):
    """The pairs of files, folders and archives; files of other kinds are counted.

    `named` gives what errors call a file. Archives inside an archive count as others.
    """
    texts = collections.defaultdict(dict)
    for path in paths:
        name = named(path)
        if path.is_dir():
            yield from pairs_in(files_in(path), reading, named, is_unpacked)
        elif is_archive(path) and not is_unpacked:
            yield from pairs_in_archive(path, reading)
        elif reader := reader_of(path, name):
            yield from reader(path, name, reading)
        elif found := language_in(without_packing(path)):
            stem, language = found
            texts[path.parent / stem][language] = path
        else:
            reading.skipped["other files"] += 1
    for stem, found in texts.items():
        languages = reading.languages_among(found)
        others = len(found) - len(languages)
        if others:
            reading.skipped["other files"] += others
        if not languages:
            continue
        places = reading.places(languages, named(stem))
        if places is not None:
            sides = [found[languages[place]] for place in places]
            yield from line_pairs(*sides, named)


def pairs_in_archive(path, reading):
    """The pairs of the files in an archive."""
    with unpacked(path) as folder:

        def name_of(inner):
            return f"{path}, {inner.relative_to(folder)}"

        yield from pairs_in([folder], reading, name_of, is_unpacked=True)


def files_in(folder):
    """The files of a folder and its folders, but for hidden ones, in order."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        is_hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        if path.is_file() and not is_hidden:
            yield path


def line_pairs(source, target, named=str):
    """The lines of two files."""
    names = (named(source), named(target))
    counts = [0, 0]
    sides = [read_lines(source, names[0]), read_lines(target, names[1])]
    # Both are read to their ends, to count the lines of the longer one.
    for pair in itertools.zip_longest(*sides):
        for side, line in enumerate(pair):
            counts[side] += line is not None
        if None not in pair:
            yield pair
    for name, count in zip(names, counts):
        expect(count, name, "contain sentences", count)
    is_equal = counts[0] == counts[1]
    expect(is_equal, " and ".join(names), "have as many lines", counts)
