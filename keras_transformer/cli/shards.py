"""A large file that several processes translate, which need not know of each other.

Each process takes every n-th line. It leaves `OUTPUT.0-of-2.part` when its share is
done: a line of JSON with a mark, which says what was done to what, then a line of JSON
for each line of the share, with the rows that came of it. The process that finds all
parts there joins them in the order of the input.
"""

import contextlib
import itertools
import json
import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

from keras_transformer.runs.run import new_file


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


class Share:
    """The lines that one of several processes translates.

    Args:
        output: path of the file that the shares come together in.
        number: which share this is, from 0.
        count: how many there are.
        mark: what JSON can hold; only parts with the same mark belong together.
    """

    def __init__(self, output, number, count, mark):
        self.output = Path(output).resolve()
        self.number = number
        self.count = count
        self.mark = mark

    def part(self, number):
        """The path of a share's part."""
        name = f"{self.output.name}.{number}-of-{self.count}.part"
        return self.output.with_name(name)

    def of(self, lines):
        """The share's lines of all lines."""
        return itertools.islice(lines, self.number, None, self.count)

    def write(self, found):
        """Write the rows of each line; the part appears when it is complete."""
        with new_file(self.part(self.number)) as file:
            for record in itertools.chain([self.mark], found):
                file.write(json.dumps(record) + "\n")

    def is_done(self, number):
        """Whether a share has a part with this mark."""
        try:
            with open(self.part(number), encoding="utf-8") as file:
                return json.loads(file.readline()) == self.mark
        except (OSError, ValueError):
            return False

    def rows(self, number):
        """The rows that came of each line of a share."""
        with open(self.part(number), encoding="utf-8") as file:
            next(file)  # the mark
            yield from map(json.loads, file)

    def join(self):
        """Join the parts if all are there, and remove them.

        Returns:
            the numbers of the shares whose parts are missing.
        """
        with one_at_a_time(self.output.parent):
            if not self.is_done(self.number):
                # A process that was done at the same time has joined them.
                return []
            numbers = range(self.count)
            missing = [number for number in numbers if not self.is_done(number)]
            if missing:
                return missing
            turns = itertools.zip_longest(*map(self.rows, numbers), fillvalue=())
            with new_file(self.output) as file:
                for rows in itertools.chain.from_iterable(turns):
                    file.writelines(row + "\n" for row in rows)
            for number in numbers:
                self.part(number).unlink()
            return []


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
