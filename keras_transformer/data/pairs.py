"""Parallel text from files: readers that give (source, target) pairs of strings."""

import itertools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..config import expect
from ..text.lines import checked_text
from ..text.opened import without_packing
from .archives import is_archive
from .files import READERS, line_pairs, pairs_in, reader_of
from .reading import LANGUAGES, Reading, language_in, languages_in, speaks
from .tables import frame_rows


class Pairs:
    """The pairs of files or of rows, read anew each time that it is iterated over.

    Attributes:
        skipped: how much of the newest reading was no pair, a `Counter` by reason.
        languages: the codes of source and target, or None as long as nothing says so;
            by files that say it, those of most of the newest reading.
        known: the languages that were given, or that names of files say, or None.
        reading: the newest `Reading`.
        files: what was given for source and for target: two lists.
        tags: texts before source sentences, of a mixture.
    """

    tags = ()

    def __init__(self, files, languages=(None, None), columns=None):
        self.files = files
        self.columns = columns
        self.asked = languages
        self.reading = Reading(languages, columns)
        self.known = None if None in languages else list(languages)
        if files[1]:
            names = [without_packing(Path(side[0])) for side in files]
            named = languages_in(names)
            self.known = self.known or named
            check_names(named, languages)

    def __iter__(self):
        reading = Reading(self.asked, self.columns)
        self.reading = reading
        count = 0
        for pair in self._read(reading):
            count += 1
            yield pair
        seen = sorted(reading.seen)
        is_there = reading.is_matched or not seen
        must = f"be among those of {self.name}: {', '.join(seen)}"
        expect(is_there, LANGUAGES, must, self.asked)
        reading.check_is_one_pair(self.name)
        reasons = {name: found for name, found in reading.skipped.items() if found}
        expect(count, self.name, "contain sentences", reasons or count)

    @property
    def languages(self):
        return self.known or self.reading.usual

    @property
    def skipped(self):
        return self.reading.skipped

    @property
    def name(self):
        """What was given, for messages."""
        names = [shown(one) for side in self.files for one in side]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return " and ".join(names[:3]) + more

    def _read(self, reading):
        sources, targets = self.files
        for source, target in zip(sources, targets):
            yield from line_pairs(source, target)
        if not targets:
            paths = [Path(one) for one in sources if is_path(one)]
            yield from pairs_in(paths, reading)
            for rows in sources:
                if not is_path(rows):
                    yield from pairs_of_rows(rows, reading)


def read_pairs(
    source,
    target=None,
    columns=None,
    source_language=None,
    target_language=None,
    name="source",
):
    """Pairs of sentences from files of many kinds.

    Two parallel files of lines; or one source of pairs: a `.tsv`, `.csv`, `.json`,
    `.jsonl`, `.parquet`, `.po`, `.tmx` or `.xliff` file, what else translate-toolkit
    reads, text files that end in their language (`train.en`, `train.es`), a folder
    or a zip or tar archive of all of these; each also packed (`.gz`, `.bz2`, `.xz`,
    `.zst`); or rows: a pandas frame, a split of Hugging Face's `datasets`, a list of
    pairs or of dicts. Of each several may be given, as a list.

    Args:
        source: path of a file with a sentence a line; or what holds both sides.
        target: path of the translations, line by line; absent with both sides in one.
        columns: the names of two columns, or their numbers in a table without names.
        source_language, target_language: codes, where there are more than two; `en`
            is also en-US.
        name: what errors call the source.

    Returns:
        `Pairs`, to be iterated over. Fuzzy, obsolete, empty and other entries that are
        no pairs are counted in its `skipped`.

    Raises:
        ValueError: if something cannot be read (known only when it is read), two files
            are not of equal length, or nothing tells which columns or languages.

    Examples:
        >>> pairs = read_pairs([{"en": "a dog", "es": "un perro", "id": "7"}],
        ...                    source_language="es", target_language="en")
        >>> list(pairs)
        [('un perro', 'a dog')]
    """
    if isinstance(source, Pairs):
        others = (target, columns, source_language, target_language)
        is_alone = all(other is None for other in others)
        expect(is_alone, "source", "be given alone where it is read already", target)
        return source
    sources = listed(source)
    targets = listed(target)
    expect(sources, name, "be paths of files, or rows", source)
    if target is not None:
        for path in sources + targets:
            # No open file: it could not be read twice.
            are_paths = is_path(path)
            expect(are_paths, "source and target", "be paths of files", path)
        own = [path for path in sources if reader_of(Path(path))]
        suffix = Path(own[0]).suffix if own else ""
        must = f"be absent when source is a {suffix} file"
        expect(not own, "target", must, target)
        counts = [len(sources), len(targets)]
        must = "be as many files"
        expect(counts[0] == counts[1], "source and target", must, counts)
    else:
        for one in sources:
            check_source(one, sources, name, (source_language, target_language))
    if columns is not None:
        is_several = isinstance(columns, (list, tuple))
        columns = tuple(map(str, columns)) if is_several else (columns,)
        count = len(columns)
        are_two = count == 2 and columns[0] != columns[1]
        expect(are_two, "columns", "be two names", columns)
    languages = (source_language, target_language)
    are_two = None in languages or not speaks(*languages)
    expect(are_two, LANGUAGES, "be two languages", languages)
    return Pairs([sources, targets], languages, columns)


def check_names(named, asked):
    """Raise a `ValueError` if two files have the names of each other's languages."""
    if named is None or None in asked:
        return
    are_swapped = all(map(speaks, reversed(named), asked))
    must = f"be those of the files' names, {' and '.join(named)}"
    expect(not are_swapped, LANGUAGES, must, asked)


def check_source(source, others, name, languages):
    """Raise a `ValueError` for what cannot hold both sides of pairs."""
    if not is_path(source):
        is_rows = isinstance(source, Iterable) and not isinstance(source, Mapping)
        must = "be paths of files, or rows that can be read twice"
        expect(is_rows and iter(source) is not source, name, must, shown(source))
        return
    path = Path(source)
    expect(path.exists(), name, "be a file or a folder that exists", str(path))
    is_known = path.is_dir() or is_archive(path) or reader_of(path)
    if len(others) > 1:  # one of them may be the other side's
        is_known = is_known or language_in(without_packing(path), languages)
    known = f"a .tsv file or another that holds both sides, {', '.join(READERS)} ..."
    if name.endswith("source"):
        target = name.replace("source", "target")
        expect(is_known, target, f"be given unless source is {known}", None)
    expect(is_known, name, f"be {known}", str(path))


def listed(value):
    """What was given as a list: one thing, nothing, or several."""
    if value is None:
        return []
    is_several = isinstance(value, (list, tuple)) and value and is_path(value[0])
    return list(value) if is_several else [value]


def is_path(value):
    return isinstance(value, (str, os.PathLike))


def shown(value):
    return str(value) if is_path(value) else type(value).__name__


def pairs_of_rows(rows, reading):
    """The pairs of rows in memory, or of a dataset."""
    name = type(rows).__name__
    if hasattr(rows, "itertuples"):
        rows = frame_rows(rows)
    rows = iter(rows)
    first = next(rows, None)
    if first is not None:
        rows = itertools.chain([first], rows)
    if first is None or isinstance(first, Mapping):
        yield from reading.rows(rows, name)
        return
    for number, row in enumerate(rows, 1):
        is_pair = isinstance(row, (tuple, list, np.ndarray)) and len(row) == 2
        expect(is_pair, f"{name}, row {number},", "be a pair or a dict", row)
        where = f"{name}, row {number}, "
        yield tuple(checked_text(text, f"{where}each text") for text in row)
