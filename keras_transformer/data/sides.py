"""Whether the files of a corpus are what they are given as."""

import filecmp
import itertools
import warnings

from ..config import expect
from .pairs import read_pairs

SAMPLE = 10_000  # pairs of each corpus that are looked at


def check_sides(source, target, valid_source=None, valid_target=None):
    """Raise a `ValueError` if files are mistaken for each other.

    The validation pairs are swapped if the words of the training sources cover the
    validation targets, and those of the training targets the validation sources, much
    better than the other way round. Characters count as words, for languages without
    spaces.

    Args:
        source, target, valid_source, valid_target: paths, as for `read_pairs`.

    Raises:
        ValueError: if the two sides of a corpus are the same, or swapped.

    Warns:
        UserWarning: if a validation file is one of the training.
    """
    if source is None:
        return
    pairs = {"source and target": (source, target)}
    pairs["valid_source and valid_target"] = (valid_source, valid_target)
    for names, (one, other) in pairs.items():
        same = are_equal(one, other)
        expect(not same, names, "be in two languages, not the same text", (one, other))
    if valid_source is None:
        return
    for mine, theirs in ((source, valid_source), (target, valid_target)):
        if are_equal(mine, theirs):
            warnings.warn(
                f"{theirs} is also a file of the training: its scores say nothing "
                "about new sentences; hold some pairs out",
                stacklevel=2,
            )
    known = words_of(source, target)
    held_out = words_of(valid_source, valid_target)
    straight = covered(known[0], held_out[0]) + covered(known[1], held_out[1])
    crossed = covered(known[0], held_out[1]) + covered(known[1], held_out[0])
    shares = (
        f"words found in the training: {straight / 2:.0%}, swapped {crossed / 2:.0%}"
    )
    what = "be in the languages of source and target; swap them (or a .tsv's columns)"
    is_straight = crossed <= 1.2 * straight + 0.1
    expect(is_straight, "valid_source and valid_target", what, shares)


def are_equal(one, other):
    """Whether two paths are of one file, or of two with the same content."""
    if None in (one, other):
        return False
    return filecmp.cmp(one, other, shallow=False)


def words_of(source, target):
    """The words and characters of both sides of a sample of pairs."""
    found = (set(), set())
    for pair in itertools.islice(read_pairs(source, target), SAMPLE):
        for words, line in zip(found, pair, strict=True):
            words.update(line.casefold().split(), line)
    return found


def covered(known, words):
    """The share of words that are known."""
    return len(words & known) / max(1, len(words))
