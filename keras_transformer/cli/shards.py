"""A large file that several processes translate, which need not know of each other.

Each process takes every n-th line and leaves its part beside the output when it is
done: for each of its lines a line of JSON, the rows that came of it. The process that
finds all parts there joins them in the order of the input.
"""

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
from pathlib import Path

from ..config import expect
from ..runs.sealed_files import new_file


def parse_shard(text):
    """`"1/4"` -> (1, 4): share 1, counted from 0, of 4."""
    number, _, count = text.partition("/")
    is_share = number.isdecimal() and count.isdecimal() and int(number) < int(count)
    expect(is_share, "--shard", "be K/N with K from 0 to N - 1", text)
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


def join_parts(output, parts, own):
    """Join the parts if all are there, and remove them; the numbers of the missing."""
    folder = parts[own].parent
    with contextlib.ExitStack() as held:
        descriptor = os.open(folder, os.O_RDONLY)
        held.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        missing = [number for number, part in enumerate(parts) if not part.exists()]
        if own in missing:
            return []  # another process was done at the same time and joined them
        if not missing:
            with contextlib.ExitStack() as stack:
                files = [stack.enter_context(open(part, "rb")) for part in parts]
                file = stack.enter_context(new_file(output))
                for turn in itertools.zip_longest(*files, fillvalue="[]"):
                    for line in turn:
                        file.writelines(row + "\n" for row in json.loads(line))
            for part in parts:
                part.unlink()
        return missing
