"""A large file that several processes translate, which need not know of each other.

Each process takes every n-th line and leaves its part beside the output when it is
done: for each of its lines a line of JSON, the rows that came of it. The process that
finds all parts there joins them in the order of the input.
"""

import contextlib
import hashlib
import itertools
import json
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

from keras_transformer.runs.sealed_files import new_file


def parse_shard(text):
    """`"1/4"` -> (1, 4): share 1, counted from 0, of 4.

    Raises:
        ValueError: if the text is no share.

    Example:
        >>> parse_shard("1/4")
        (1, 4)
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise ValueError(f"shard must be K/N with K from 0 to N - 1; received {text!r}")
    return int(number), int(count)


def parts_of(output, count, mark):
    """The paths of the parts; those of another mark, which JSON can hold, differ."""
    output = Path(output).resolve()
    digest = hashlib.sha256(json.dumps(mark).encode()).hexdigest()[:16]
    names = [f"{output.name}.{n}-of-{count}.{digest}.part" for n in range(count)]
    return [output.with_name(name) for name in names]


def write_part(path, found):
    """Write the rows of each line; the part appears when it is complete."""
    with new_file(path) as file:
        for rows in found:
            file.write(json.dumps(rows) + "\n")


def read_part(path):
    """The rows that came of each line."""
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)


def join_parts(output, parts, own):
    """Join the parts if all are there, and remove them.

    Args:
        output: path of the file to write.
        parts: their paths.
        own: the number of the part just written.

    Returns:
        the numbers of the missing parts.
    """
    with one_at_a_time(parts[own].parent):
        missing = [number for number, part in enumerate(parts) if not part.exists()]
        if own in missing:
            # A process that was done at the same time has joined them.
            return []
        if not missing:
            turns = itertools.zip_longest(*map(read_part, parts), fillvalue=())
            with new_file(output) as file:
                for rows in itertools.chain.from_iterable(turns):
                    file.writelines(row + "\n" for row in rows)
            for part in parts:
                part.unlink()
        return missing


@contextlib.contextmanager
def one_at_a_time(folder):
    """Let one process at a time into this block, of those that name the same folder."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
