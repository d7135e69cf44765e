"""Whether the files of a corpus are what they are given as."""

import filecmp
import itertools
import os
import warnings

from ..config import expect
from .pairs import is_path

SAMPLE = 10_000  # pairs of each corpus that are looked at


def check_not_same_files(pairs, names="source and target"):
    """Raise a `ValueError` if both sides of `Pairs` are the same files."""
    one, other = pairs.files
    same = len(one) == len(other) > 0 and all(map(are_equal, one, other))
    expect(not same, names, "be in two languages, not the same text", (one, other))


def check_sides(pairs, valid):
    """Raise a `ValueError` if both sides of the validation are the same, or swapped.

    Warns:
        UserWarning: if a validation file is one of the training.
    """
    check_not_same_files(valid, "valid_source and valid_target")
    for mine, theirs in zip(pairs.files, valid.files):
        for one, other in itertools.product(mine, theirs):
            if are_equal(one, other):
                warnings.warn(
                    f"{other} is also a file of the training: its scores say nothing "
                    "about new sentences; hold some pairs out",
                    stacklevel=2,
                )
    shares = swapped(pairs, valid)
    what = "be in the languages of source and target; swap them (or a .tsv's columns)"
    expect(not shares, "valid_source and valid_target", what, shares)


def swapped(known, pairs):
    """What tells that pairs have their sides swapped against known ones, or "".

    The words of the known sources then cover the other targets, and those of the known
    targets the other sources, much better than the other way round. Characters count as
    words, for languages without spaces.
    """
    ours = words_of(known)
    theirs = words_of(pairs)
    straight = covered(ours[0], theirs[0]) + covered(ours[1], theirs[1])
    crossed = covered(ours[0], theirs[1]) + covered(ours[1], theirs[0])
    if crossed <= 1.2 * straight + 0.1:
        return ""
    return f"words found in the training: {straight / 2:.0%}, swapped {crossed / 2:.0%}"


def are_equal(one, other):
    """Whether two paths are of one file, or of two with the same content."""
    are_files = all(is_path(path) and os.path.isfile(path) for path in (one, other))
    return are_files and filecmp.cmp(one, other, shallow=False)


def words_of(pairs):
    """The words and characters of both sides of a sample of pairs."""
    found = (set(), set())
    for pair in itertools.islice(pairs, SAMPLE):
        for words, line in zip(found, pair, strict=True):
            words.update(line.casefold().split(), line)
    return found


def covered(known, words):
    """The share of words that are known."""
    return len(words & known) / max(1, len(words))
