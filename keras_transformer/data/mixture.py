"""Several corpora as one: some with a tag, some learnt more often than others."""

import collections
import itertools
import math
from collections.abc import Iterable

import numpy as np

from ..config import expect, is_number
from ..text.normalization import compose
from .pairs import Pairs, read_pairs


class Corpus:
    """One of the corpora of a `Mixture`.

    Args:
        pairs: its `Pairs`.
        weight: how often each of them is in the mixture, on average.
        tag: what stands before each source sentence; "" for nothing.
        seed: of which pairs are there once more than others.
    """

    def __init__(self, pairs, weight=1.0, tag="", seed=()):
        self.pairs = pairs
        self.weight = weight
        self.tag = tag
        self.seed = seed

    def counted(self, pairs):
        """Its pairs or some of them, tagged, and how often each is in the mixture."""
        random = np.random.default_rng(self.seed)
        for source, target in pairs:
            if self.tag:
                source = f"{self.tag} {source}"
            count = math.floor(self.weight + random.random())
            yield (source, target), count


class Mixture(Pairs):
    """The `Pairs` of `mix_pairs`.

    Attributes:
        parts: a `Corpus` for each.
    """

    def __init__(self, parts):
        self.parts = parts
        self.files = ([], [])
        self.tags = [part.tag for part in parts if part.tag]
        for part in parts:
            for files, own in zip(self.files, part.pairs.files):
                files.extend(own)

    def __iter__(self):
        for part in self.parts:
            for pair, count in part.counted(part.pairs):
                yield from itertools.repeat(pair, count)

    @property
    def languages(self):
        """Those of the first corpus that says which they are."""
        found = [part.pairs.languages for part in self.parts]
        return next(filter(None, found), None)

    @property
    def skipped(self):
        """What was no pair, of all corpora."""
        counts = [part.pairs.skipped for part in self.parts]
        return sum(counts, collections.Counter())


def mix_pairs(corpora, weights=None, tags=None, seed=1):
    """Pairs of several corpora, weighted and tagged, for `train` and `clean_pairs`.

    The filters of a training see each corpus as it is, without its tag.

    Args:
        corpora: a list; each is what `read_pairs` takes or gave.
        weights: how often each pair of a corpus is in the mixture: of 2.5 each is there
            twice, and half of them once more. 1 when absent.
        tags: texts to stand before each source sentence of a corpus, such as `<BT>`;
            "" for none.
        seed: of which pairs are there once more than others.

    Returns:
        `Pairs`.

    Raises:
        ValueError: if there is no corpus, there are not as many weights or tags as
            corpora, a weight is not above 0, or a tag is not text.

    Examples:
        >>> natural = [("a dog", "ein Hund")]
        >>> synthetic = [("a cats", "eine Katze")]
        >>> list(mix_pairs([natural, synthetic], weights=[2, 1], tags=["", "<BT>"]))
        [('a dog', 'ein Hund'), ('a dog', 'ein Hund'), ('<BT> a cats', 'eine Katze')]

    Source: Caswell et al. 2019, "Tagged Back-Translation".
    """
    is_list = isinstance(corpora, (list, tuple)) and len(corpora) > 0
    expect(is_list, "corpora", "be a list of at least one", corpora)
    weights = one_each("weights", weights, 1.0, corpora)
    tags = one_each("tags", tags, "", corpora)
    for weight in weights:
        is_right = is_number(weight) and 0 < weight < math.inf
        expect(is_right, "weights", "be above 0", weights)
    for tag in tags:
        is_plain = isinstance(tag, str) and tag == compose(tag).strip()
        must = "be texts that have no white space around them"
        expect(is_plain, "tags", must, tags)
    parts = [
        Corpus(read_pairs(corpus), weights[number], tags[number], (seed, number))
        for number, corpus in enumerate(corpora)
    ]
    return Mixture(parts)


def one_each(name, values, default, corpora):
    """A list with a value for each corpus: those given, or the default."""
    count = len(corpora)
    if values is None:
        return [default] * count
    is_list = isinstance(values, Iterable) and not isinstance(values, str)
    values = list(values) if is_list else values
    must = f"be as many as the corpora, {count}"
    expect(is_list and len(values) == count, name, must, values)
    return values
