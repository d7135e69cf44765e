"""Pairs that came before, known by 8 bytes each."""

import hashlib
import itertools
import re

import numpy as np

from ..text.normalization import compose

CHUNK = 1000  # pairs that are compared with those before at a time
WORD = re.compile(r"[^\W\d_]+")


class Seen:
    """Which marks of 8 bytes were there before: sorted arrays, 8 bytes a mark.

    Each array is more than twice as long as the next one, so that there are few.
    """

    def __init__(self):
        self.arrays = []

    def add(self, marks):
        """Whether each of some marks is there for the first time: `(n,)` booleans."""
        _, first = np.unique(marks, return_index=True)
        is_new = np.zeros(len(marks), bool)
        is_new[first] = True
        for array in self.arrays:
            places = np.searchsorted(array, marks)
            is_new &= array.take(places, mode="clip") != marks
        added = np.sort(marks[is_new])
        while self.arrays and len(self.arrays[-1]) <= 2 * len(added):
            added = np.sort(np.concatenate([self.arrays.pop(), added]))
        if len(added):
            self.arrays.append(added)
        return is_new


def mark_of(text, key=b""):
    """8 bytes that stand for a text, as a number."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big")


def exactly(source, target):
    """What is equal for equal pairs."""
    return f"{source}\n{target}"


def roughly(source, target):
    """What is equal for pairs that differ in case, digits, punctuation and spaces."""
    words = [
        " ".join(WORD.findall(compose(text).casefold())) for text in (source, target)
    ]
    # Where there are no words, all of it counts.
    return exactly(*words) if all(words) else exactly(source, target)


def first_ones(pairs, key, report, name):
    """The pairs that are there for the first time by a key; drops are reported."""
    seen = Seen()
    pairs = iter(pairs)
    while chunk := list(itertools.islice(pairs, CHUNK)):
        marks = [mark_of(key(*pair)) for pair in chunk]
        for pair, is_new in zip(chunk, seen.add(np.array(marks, np.uint64))):
            if is_new:
                yield pair
            else:
                report.note(report.dropped, name, pair)
