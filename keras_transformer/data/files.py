"""Which reader a file has; the pairs of files, folders and archives."""

import collections
import itertools
import re

from ..config import expect, refused
from ..text.lines import LONGEST_LINE, read_lines
from ..text.opened import ending_of, opened_text, readable, without_packing
from .archives import is_archive, unpacked
from .catalogues import po_pairs, toolkit_pairs
from .reading import language_in
from .tables import csv_pairs, jsonl_pairs, parquet_pairs, tsv_pairs
from .xml import tbx_pairs, tmx_pairs, xliff_pairs

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
    ".tbx": tbx_pairs,
    **dict.fromkeys((".mo", ".gmo", ".ts", ".qph", ".utx"), toolkit_pairs),
}
LINES = 10  # that say what a file is
BEGINS = {
    ".ts": re.compile(rb"\s*<"),
    # A list of objects, or two of them on lines of their own; one alone is settings.
    ".json": re.compile(rb"\s*(?:\[\s*\{|\{.*\}\s*\n\s*\{)"),
}


def reader_of(path, name=None, is_found=False):
    """The reader of a file by its ending, or None; `.txt` files may have tabs.

    `name` is what errors call it. Notes may have a tab too: of a file that was found
    and not named more lines than the first one must have some.
    """
    ending = ending_of(path)
    if ending == ".txt" and path.is_file():
        first = first_lines(path, name or path, LINES if is_found else 1)
        have_tabs = [b"\t" in line for line in first if line.strip()]
        return tsv_pairs if have_tabs and all(have_tabs) else None
    return READERS.get(ending)


def first_lines(path, name, count):
    """The first lines of a text file, as bytes."""
    damage = readable(name, "text file", UnicodeDecodeError)
    with damage, opened_text(path) as stream:
        return [stream.readline(LONGEST_LINE) for _ in range(count)]


def is_other(path, name):
    """Whether a file of a folder is not what its ending says, or is there twice.

    It is TypeScript or settings, or compiled of the PO file beside it.
    """
    ending = ending_of(path)
    if ending in (".mo", ".gmo"):
        return path.with_suffix(".po").exists()
    begin = BEGINS.get(ending)
    if begin is None:
        return False
    return not begin.match(b"".join(first_lines(path, name, LINES)))


def pairs_in(paths, reading, named=str, is_unpacked=False, is_found=False):
    """The pairs of files, folders and archives; files of other kinds are counted.

    `named` gives what errors call a file. Archives inside an archive count as others,
    and so do files that nobody named and that are not what their endings say.
    """
    texts = collections.defaultdict(dict)
    for path in paths:
        name = named(path)
        if path.is_dir():
            found = files_in(path)
            yield from pairs_in(found, reading, named, is_unpacked, is_found=True)
        elif is_archive(path) and not is_unpacked:
            yield from pairs_in_archive(path, reading)
        elif reader := reader_of(path, name, is_found):
            if is_found and is_other(path, name):
                reading.skipped["other files"] += 1
            else:
                yield from reader(path, name, reading)
        elif found := language_in(without_packing(path), reading.languages):
            stem, language = found
            texts[path.parent / stem][language] = path
        else:
            reading.skipped["other files"] += 1
    for stem, found in texts.items():
        yield from pairs_of_sides(stem, found, reading, named, is_found)


def pairs_of_sides(stem, files, reading, named, is_found):
    """The pairs of text files of one name, by language; of two of them."""
    languages = reading.languages_among(files)
    if not languages and not is_found:
        alone = named(next(iter(files.values())))
        raise refused(alone, "have a file of the other language beside it", None)
    others = len(files) - len(languages)
    if others:
        reading.skipped["other files"] += others
    if not languages:
        return
    places = reading.places(languages, named(stem))
    if places is not None:
        source, target = [files[languages[place]] for place in places]
        yield from line_pairs(source, target, named)


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
            if line is not None:
                counts[side] += 1
        if None not in pair:
            yield pair
    for name, count in zip(names, counts):
        expect(count, name, "contain sentences", count)
    is_equal = counts[0] == counts[1]
    expect(is_equal, " and ".join(names), "have as many lines", counts)
