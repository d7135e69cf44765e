"""Parallel text from files: readers that give (source, target) pairs of strings."""

import itertools
import os

from ..config import expect
from ..text.lines import read_lines
from ..text.normalization import has_text


def read_pairs(source, target=None):
    """Pairs of lines of two parallel files, or of one `.tsv` file with two columns.

    Any of them may be `.gz`.

    Args:
        source: file with a sentence a line; or the `.tsv` file.
        target: file with the translations, line by line; absent with a `.tsv` file.

    Raises:
        ValueError: if a file is empty or unreadable, the two are not of equal length
            (known only at their end), or a `.tsv` line has not two columns.
    """
    for path in (source, target or source):
        # No open file: it could not be read twice.
        is_path = isinstance(path, (str, os.PathLike))
        expect(is_path, "source and target", "be paths of files", path)
    if str(source).endswith((".tsv", ".tsv.gz")):
        expect(target is None, "target", "be absent when source is a .tsv file", target)
        return _tsv_pairs(source)
    expect(
        target is not None, "target", "be given unless source is a .tsv file", target
    )
    return _file_pairs(source, target)


def _tsv_pairs(path):
    number = 0
    for number, line in enumerate(read_lines(path), 1):
        columns = line.split("\t") if has_text(line) else ["", ""]
        count = len(columns)
        expect(count == 2, f"{path}, line {number},", "have two columns", count)
        yield tuple(columns)
    expect(number, path, "contain sentences", number)


def _file_pairs(source, target):
    paths = (source, target)
    counts = [0, 0]
    # Both are read to their ends, to count the lines of the longer one.
    for pair in itertools.zip_longest(*map(read_lines, paths)):
        for side, line in enumerate(pair):
            counts[side] += line is not None
        if None not in pair:
            yield pair
    for path, count in zip(paths, counts):
        expect(count, path, "contain sentences", count)
    is_equal = counts[0] == counts[1]
    expect(is_equal, f"{source} and {target}", "have as many lines", counts)
