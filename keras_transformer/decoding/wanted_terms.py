"""The terms that a glossary wants in a translation, as arrays of few shapes."""

import collections

import numpy as np

from ..config import expect
from ..text.glossary import Glossary, is_of_word
from ..text.special_tokens import NO_TOKEN
from .sentence_request import check_fits


class WantedTerms:
    """The terms of a `Glossary` in ids.

    Args:
        glossary: the `Glossary`.
        tokenizer: the `Tokenizer` of the target language.

    Raises:
        ValueError: as `Glossary.encoded`.
    """

    def __init__(self, glossary, tokenizer):
        self._glossary = glossary
        self._ids = glossary.encoded(tokenizer)
        self.is_inner = going_on(tokenizer)

    @classmethod
    def of(cls, given, tokenizer, config):
        """Those of what a `Glossary` is made of, for a `DecodingConfig`."""
        is_able = config.search != "sampling"
        expect(is_able, "glossary", "be absent with search='sampling'", given)
        # A term could begin within a word.
        is_told = not tokenizer.marks_word_ends
        must = "be absent with a tokenizer that marks where words end"
        expect(is_told, "glossary", must, given)
        glossary = given if isinstance(given, Glossary) else Glossary(given)
        return cls(glossary, tokenizer)

    def in_sentence(self, text):
        """The terms of a source sentence: of each the ways to write it, in ids."""
        found = self._glossary.found_in(text)
        return list(dict.fromkeys(tuple(self._ids[term]) for term in found))


def going_on(tokenizer):
    """Which tokens go on with the word before them: boolean, one for each id."""
    (before,) = tokenizer.encode(["."])
    texts = tokenizer.decode([[*before, n] for n in range(tokenizer.vocab_size)])
    (start,) = tokenizer.decode([before])
    firsts = [text.removeprefix(start)[:1] for text in texts]
    return np.array([first != "" and is_of_word(first) for first in firsts])


def shape_of(terms):
    """The shape `(G, A, P)` of the array of a sentence's terms, in powers of 2.

    It is `()` where there are none.
    """
    if not terms:
        return ()
    ways = [way for term in terms for way in term]
    sizes = (len(terms), max(map(len, terms)), max(map(len, ways)))
    return tuple(1 << (size - 1).bit_length() for size in sizes)


def places_of(shape):
    """The most tokens of terms of that shape, which need one way each."""
    return shape[0] * shape[2] if shape else 0


def by_shape(sentences):
    """The numbers of the sentences whose terms have each shape."""
    numbers = collections.defaultdict(list)
    for number, terms in enumerate(sentences):
        numbers[shape_of(terms)].append(number)
    return numbers


def check_room(sentences, room, prefixes, texts):
    """Raise a `ValueError` where a translation has no room for its terms.

    Args:
        sentences: the terms of each sentence.
        room: how many tokens each translation may have, those of `prefixes` included.
        prefixes: what each begins with, in ids.
        texts: the sentences.
    """
    for terms, most, prefix, text in zip(sentences, room, prefixes, texts):
        left = int(most) - len(prefix)
        fewest = sum(min(map(len, ways)) for ways in terms)
        check_fits("the terms of glossary", fewest, left, text)


def as_array(sentences, rows, shape):
    """The terms of several sentences: `(rows, *shape)` int32."""
    array = np.full((rows, *shape), NO_TOKEN, "int32")
    for row, terms in zip(array, sentences):
        for places, ways in zip(row, terms):
            for place, way in zip(places, ways):
                place[: len(way)] = way
    return array
