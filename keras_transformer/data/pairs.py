"""Parallel text: read it, pair it, and judge which pairs to keep."""

import dataclasses
import itertools
import os
from collections.abc import Iterator

from keras_transformer.config import DataConfig
from keras_transformer.text.lines import read_lines

ENORMOUS = 100_000  # characters; such a line is too long whatever its tokens


def read_pairs(
    source: str | os.PathLike, target: str | os.PathLike | None = None
) -> Iterator[tuple[str, str]]:
    """Pairs of lines of two parallel files, or of one `.tsv` file with two columns; any of them may be `.gz`.

    Args:
        source: file with a sentence a line; or the `.tsv` file.
        target: file with the translations, line by line; absent with a `.tsv` file.

    Raises:
        ValueError: if a file is empty or unreadable, the two are not of equal length
            (known only at their end), or a `.tsv` line has not two columns.
    """
    if str(source).removesuffix(".gz").endswith(".tsv"):
        if target is not None:
            raise ValueError(
                f"target must be absent when source is a .tsv file with both; received {str(target)!r}"
            )
        return _tsv_pairs(source)
    if target is None:
        raise ValueError(
            f"target must be given unless source is a .tsv file; received source {str(source)!r} alone"
        )
    return _file_pairs(source, target)


def _tsv_pairs(path):
    number = 0
    for number, line in enumerate(read_lines(path), 1):
        columns = line.split("\t") if line.strip() else ["", ""]
        if len(columns) != 2:
            raise ValueError(
                f"{path} must have two columns (source, tab, target); line {number} has {len(columns)}"
            )
        yield columns[0], columns[1]
    if not number:
        raise ValueError(f"{path} must contain sentences; it is empty")


def _file_pairs(source, target):
    counts = [0, 0]

    def counted(path, side):
        for line in read_lines(path):
            counts[side] += 1
            yield line

    for pair in itertools.zip_longest(counted(source, 0), counted(target, 1)):
        # After the end of the shorter file this goes on, to count the longer one.
        if None not in pair:
            yield pair
    for path, count in zip((source, target), counts, strict=True):
        if not count:
            raise ValueError(f"{path} must contain sentences; it is empty")
    if counts[0] != counts[1]:
        raise ValueError(
            f"source and target must have as many lines as each other; {source} has {counts[0]:,} and {target} has "
            f"{counts[1]:,}"
        )


@dataclasses.dataclass(frozen=True)
class FilterReport:
    """How many pairs were kept, and how many dropped for which reason (the first that held, in this order)."""

    kept: int = 0
    empty: int = 0  # nothing on one side
    too_long: int = 0  # more tokens than `max_length` on one side
    ratio: int = 0  # one side more than `max_ratio` times the other

    def __str__(self):
        total = self.kept + self.empty + self.too_long + self.ratio
        dropped = f"{self.empty:,} empty, {self.too_long:,} too long, {self.ratio:,} of unlikely length ratio"
        return f"kept {self.kept:,} of {total:,} pairs; dropped {total - self.kept:,}: {dropped}"


def judge(source_length: int, target_length: int, config: DataConfig) -> str:
    """The field of `FilterReport` in which a pair of these lengths, without end tokens, is counted."""
    if not source_length or not target_length:
        return "empty"
    shorter, longer = sorted((source_length + 1, target_length + 1))
    if longer > config.max_length:
        return "too_long"
    return "ratio" if longer > config.max_ratio * shorter else "kept"
