"""Pairs are held out by their source sentences."""

import pytest

from keras_transformer.data.corpus import MOST, clean_pairs, held_out


def corpus(count, targets=2):
    """Pairs of so many source sentences, each with several translations."""
    pairs = [
        (f"cat {n}", f"gato {n}, {m}") for m in range(targets) for n in range(count)
    ]
    return clean_pairs(pairs)


def sources(pairs):
    return {source for source, _ in pairs}


@pytest.mark.parametrize(
    "count, size, expected",
    [(100, None, 5), (100, 7, 7), (20_100, None, MOST)],
)
def test_no_source_sentence_is_on_both_sides(count, size, expected):
    pairs = corpus(count)
    train, valid = held_out(pairs, size, seed=1)
    assert len(sources(valid)) == expected
    assert not sources(train) & sources(valid)
    assert sorted([*train, *valid]) == sorted(pairs)
    assert list(valid) == list(held_out(pairs, size, seed=1)[1])
    assert sources(valid) != sources(held_out(pairs, size, seed=2)[1])


def test_case_and_spaces_make_no_other_sentence():
    pairs = [(text, "gato") for text in ("A cat", "a  CAT", "a cat ")]
    train, valid = held_out(clean_pairs([*pairs, ("dog", "perro")]), 1, seed=3)
    assert {len(list(train)), len(list(valid))} == {1, 3}


def test_too_few():
    pairs = clean_pairs([("a cat", "gato"), ("A cat", "el gato")])
    assert held_out(pairs, None, seed=1) == (pairs, None)
    with pytest.raises(
        ValueError, match="valid_size must be at most 2 for so many sou"
    ):
        held_out(corpus(3), 3, seed=1)
