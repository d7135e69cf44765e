"""What a search is asked about one sentence."""

from dataclasses import dataclass

import numpy as np

from ..config import expect
from ..text.markup import MOST, counts_of


@dataclass(frozen=True)
class SentenceRequest:
    """A sentence whose translation is searched.

    Args:
        text: the sentence, with symbols for its markup if its tokenizer has such.
        source: its ids, in their format.
        forced: the ids that its translation begins with; none when free.
        terms: of each term of a glossary that it has, the ways to write it, in ids.
    """

    text: str
    source: list
    forced: list
    terms: list


def check_fits(name, count, room, text):
    """Raise a `ValueError` where a translation has no room for what it must have."""
    must = f"fit in the {room} tokens that extra_length leaves a translation"
    expect(count <= room, name, must, text)


def copied_of(texts, rows, is_marked):
    """How often each symbol of markup is wanted: `(rows, P)`; P is 0 unless marked."""
    if not is_marked:
        return np.zeros((rows, 0), "int32")
    copied = np.zeros((rows, MOST), "int32")
    copied[: len(texts)] = [counts_of(text) for text in texts]
    return copied
