"""A large file that several processes work on, which need not know of each other.

Each takes every n-th line and leaves `OUTPUT.0-of-2.part` when its share is done: a
line of JSON with a mark, which says what was done to what, then for each line of its
share a line of JSON with the lines that came of it. Whoever finds all parts there joins
them in the order of the input.
"""

import contextlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

from keras_transformer.runs.sealed_files import written_aside


def parse_shard(text: str) -> tuple[int, int]:
    """`"1/4"` -> (1, 4): share 1, counted from 0, of 4.

    Raises:
        ValueError: if it is none.

    Example:
        >>> parse_shard("1/4")
        (1, 4)
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise ValueError(f"shard must be K/N with K from 0 to N - 1; received {text!r}")
    return int(number), int(count)


def share(lines: Iterable[str], shard: tuple[int, int]) -> Iterator[str]:
    """The lines of a share."""
    number, count = shard
    return itertools.islice(lines, number, None, count)


def write_part(
    output: str, shard: tuple[int, int], mark: dict, found: Iterable[list[str]]
) -> None:
    """Write what came of each line of a share; the part appears under its name only when complete."""
    with written_aside(part(output, shard)) as aside:
        with open(aside, "w", encoding="utf-8") as file:
            for record in itertools.chain([mark], found):
                file.write(json.dumps(record) + "\n")


def is_done(output: str, shard: tuple[int, int], mark: dict) -> bool:
    """Whether a part of this mark is there."""
    try:
        with open(part(output, shard), encoding="utf-8") as file:
            return json.loads(file.readline()) == mark
    except (OSError, ValueError):
        return False


def join_parts(output: str, shard: tuple[int, int], mark: dict) -> list[int]:
    """Join the parts if all are there, and remove them; give the numbers of those that are not.

    Args:
        output: the file to write.
        shard: the share whose part was just written.
        mark: that of the parts.
    """
    with one_at_a_time(Path(output).resolve().parent):
        if not is_done(output, shard, mark):
            # Another process, which was done at the same time, has joined them.
            return []
        shards = [(number, shard[1]) for number in range(shard[1])]
        missing = [
            number
            for number, _ in shards
            if not is_done(output, (number, shard[1]), mark)
        ]
        if not missing:
            join(output, shards)
        return missing


@contextlib.contextmanager
def one_at_a_time(folder):
    """Let one process at a time into this block, of those that name the same folder."""
    descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if fcntl:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        if fcntl:
            os.close(descriptor)


def join(output, shards):
    """Write the rows of all parts in the order of their lines; then remove the parts."""
    with (
        written_aside(Path(output).resolve()) as aside,
        open(aside, "w", encoding="utf-8") as file,
    ):
        for records in itertools.zip_longest(
            *(records_of(part(output, shard)) for shard in shards)
        ):
            for record in records:
                file.writelines(line + "\n" for line in record or ())
    for shard in shards:
        part(output, shard).unlink()


def records_of(path):
    """What came of each line of a part's share."""
    with open(path, encoding="utf-8") as file:
        next(file)
        yield from map(json.loads, file)


def part(output, shard):
    """The path of a part."""
    output = Path(output)
    return output.with_name(f"{output.name}.{shard[0]}-of-{shard[1]}.part")
