"""Pairs to train on: read and cleaned once, and parted from those held out."""

import itertools
import json
import tempfile

import numpy as np

from ..config import CleaningConfig, expect
from ..process.bars import advance, doing
from ..text.normalization import compose
from .cleaning import CleaningReport
from .duplicates import mark_of
from .filters import cleaned
from .mixture import Corpus, Mixture
from .pairs import Pairs, read_pairs
from .sides import check_not_same_files

BUFFER = 1 << 20  # bytes of cleaned pairs that are read at a time
SHARE = 20  # of so many sentences one is held out
MOST = 1000  # that are held out


class CleanPairs(Pairs):
    """The pairs of `clean_pairs`, in a temporary file that goes with this object.

    Attributes:
        report: the `CleaningReport`.
        languages: the codes of source and target, or None.
        files: where they came from, as in `Pairs`.
        is_mixture: whether they are of several corpora, weighted or tagged.
        tags: as in `Pairs`.
    """

    def __init__(self, pairs, config):
        super().__init__(pairs.files)
        report = CleaningReport()
        self.report = report
        self.is_mixture = isinstance(pairs, Mixture)
        self.tags = pairs.tags
        self.count = 0
        self.file = tempfile.TemporaryFile()
        with doing("reading and cleaning the pairs", unit="pairs"):
            self._write(pairs, config)
        report.skipped = {name: n for name, n in pairs.skipped.items() if n}
        self.known = pairs.languages
        if self.is_mixture:
            report.mixed = self.count
        must = "hold at least one that passes the filters"
        expect(self.count, "pairs", must, report.summary)

    def _write(self, pairs, config):
        """Write what the filters leave of pairs, or of each corpus of a mixture."""
        report = self.report
        parts = pairs.parts if isinstance(pairs, Mixture) else [Corpus(pairs)]
        for part in parts:
            for pair, count in part.counted(cleaned(part.pairs, config, report)):
                line = json.dumps(pair, ensure_ascii=False).encode() + b"\n"
                self.file.writelines(itertools.repeat(line, count))
                self.count += count
                report.kept += 1
                advance()

    def __len__(self):
        return self.count

    def __iter__(self):
        place = 0
        while True:
            # Others may read it at the same time.
            self.file.seek(place)
            lines = self.file.readlines(BUFFER)
            place = self.file.tell()
            if not lines:
                return
            for line in lines:
                yield tuple(json.loads(line))


def clean_pairs(source, target=None, config=None, **how):
    """Pairs without what is clearly wrong, and a report of it.

    Args:
        source, target, **how: as for `read_pairs`; `source` may be what it gave.
        config: a `FilterConfig`; a `CleaningConfig` when absent.

    Returns:
        `CleanPairs`: iterable, with a `report` to print and a length. Memory is
        constant, but for 8 bytes a pair where duplicates are dropped.

    Raises:
        ValueError: as `read_pairs`; if the two sides are the same files; or if no pair
            is left.

    Examples:
        >>> pairs = [("a dog", "ein Hund"), ("a dog", "ein Hund"), ("", "eine Katze")]
        >>> print(clean_pairs(pairs).report.summary)
        kept 1 of 3 pairs; dropped 2: 1 empty, 1 drop_duplicates
    """
    if isinstance(source, CleanPairs):
        return source
    pairs = read_pairs(source, target, **how)
    check_not_same_files(pairs)
    return CleanPairs(pairs, config or CleaningConfig())


class Share:
    """The pairs whose source is held out, or those whose source is not."""

    def __init__(self, pairs, key, limit, is_held_out):
        self.pairs = pairs
        self.key = key
        self.limit = limit
        self.is_held_out = is_held_out

    def __iter__(self):
        for pair in self.pairs:
            is_below = mark_of_source(pair[0], self.key) <= self.limit
            if is_below == self.is_held_out:
                yield pair


def mark_of_source(source, key):
    """A number for a source sentence, the same for what differs in case or spaces."""
    return mark_of(" ".join(compose(source).casefold().split()), key)


def held_out(pairs, size, seed):
    """Part pairs by their source sentences: to train on, and to validate with.

    The sentences with the lowest marks are held out, and a mark depends on sentence and
    seed alone; no sentence is on both sides.

    Args:
        pairs: `CleanPairs`.
        size: how many source sentences to hold out; a twentieth, at most 1,000, when
            absent.
        seed: of the marks.

    Returns:
        two iterables of pairs; the second is None if all have one source sentence.

    Raises:
        ValueError: if there are not more sentences than `size`.
    """
    key = str(seed).encode()
    # So many say whether a twentieth is less than MOST.
    enough = size or MOST * SHARE
    lowest = np.empty(0, np.uint64)
    chunk = []
    for source, _ in pairs:
        chunk.append(mark_of_source(source, key))
        if len(chunk) > enough + 10 * MOST:
            lowest = lowest_of(lowest, chunk, enough)
            chunk = []
    lowest = lowest_of(lowest, chunk, enough)
    wanted = size or max(1, len(lowest) // SHARE)
    most = len(lowest) - 1
    must = f"be at most {most} for so many source sentences"
    expect(size is None or wanted <= most, "valid_size", must, size)
    if most < 1:
        return pairs, None
    limit = int(lowest[min(wanted, most) - 1])
    return [Share(pairs, key, limit, is_held_out) for is_held_out in (False, True)]


def lowest_of(lowest, marks, wanted):
    """The lowest of different marks, one more than are wanted."""
    both = np.concatenate([lowest, np.array(marks, np.uint64)])
    return np.unique(both)[: wanted + 1]
