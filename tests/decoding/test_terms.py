import numpy as np
import pytest

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding import loop, search
from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.terms import TermSearch
from keras_transformer.decoding.wanted_terms import (
    WantedTerms,
    as_array,
    going_on,
    places_of,
)
from keras_transformer.text.special_tokens import END


def search_of(model, terms, size, length, beam, **options):
    array = as_array(terms, len(terms), size)

    def run(max_lengths, shifts, terms, prefix=None, copied=None):
        request = search.Request(max_lengths, prefix=prefix, terms=terms, copied=copied)
        found = TermSearch(model.step, beam, places_of(size), **options)
        state = found.begin(request, model.cache(shifts), length)
        return found.result(loop.run(found, request, state, (length,)))

    return run, array


def holds(tokens, way):
    return any(tokens[n : n + len(way)] == tuple(way) for n in range(len(tokens)))


def fits(tokens, terms):
    return all(any(holds(tokens, way) for way in ways) for ways in terms)


def fits_as_words(tokens, terms, inner):
    """Whether all terms are there with no token of `inner` behind them."""

    def is_whole(way, start):
        end = start + len(way)
        return tokens[start:end] == way and tokens[end : end + 1] not in inner

    return all(
        any(is_whole(tuple(way), n) for way in ways for n in range(len(tokens)))
        for ways in terms
    )


class Spelled:
    """A tokenizer of these pieces, with Ġ for a space before them."""

    def __init__(self, *pieces, marks_word_ends=False):
        self.marks_word_ends = marks_word_ends
        self.pieces = pieces
        self.vocab_size = len(pieces)

    def encode(self, lines):
        return [[self.pieces.index(line)] for line in lines]

    def decode(self, rows):
        joined = ["".join(self.pieces[n] for n in row) for row in rows]
        return [text.replace("Ġ", " ").removeprefix(" ") for text in joined]


def test_what_goes_on_with_a_word_is_told_by_its_text():
    found = going_on(Spelled(".", "Hund", "ĠHund", "Ġ", ",", ""))
    assert found.tolist() == [False, True, False, False, False, False]


def test_a_glossary_is_refused_where_a_term_may_begin_within_a_word():
    message = "glossary must be absent with a tokenizer that marks where words end"
    with pytest.raises(ValueError, match=message):
        tokenizer = Spelled("Hund</w>", marks_word_ends=True)
        WantedTerms.of({"dog": "Hund"}, tokenizer, DecodingConfig())


TERMS = [
    [[[4]]],
    [[[4, 5], [5, 4, 4]]],
    [[[5, 5]], [[4]]],
    [],
    [[[1, 4, 1]]],
]


def test_a_wide_beam_ranks_all_translations_with_the_terms(automaton, run, strip):
    model = automaton()
    find, array = search_of(model, TERMS, (2, 2, 4), 4, 125)
    tokens, scores = run(find, [4] * 5, range(5), array)
    for row, own in enumerate(TERMS):
        ranking = model.ranking(row, 4, 0.6, "gnmt")
        expected = [found for found in ranking if fits(found[1], own)]
        found = [strip(ids) for ids in tokens[row] if strip(ids)]
        # Near the limit a term that was begun is not begun again.
        expected = [one for one in expected if one[1][-1] == END or one[1] in found]
        assert found == [ids for _, ids in expected]
        numbers = [score for score, _ in expected]
        np.testing.assert_allclose(scores[row][: len(found)], numbers, atol=5e-6)


# With 5 inside of words: another form of one term, one term that begins another.
FORMS = [[[[4], [4, 5]]], [[[4, 5], [4]]], [[[4]], [[4, 5]]], [[[4, 5]], [[4, 5, 5]]]]


def test_a_wide_beam_ranks_all_translations_with_the_terms_as_words(
    automaton, run, strip
):
    """One that goes on with a word that is a term alone may be the other term."""
    model = automaton()
    is_inner = np.arange(6) == 5
    find, array = search_of(model, FORMS, (2, 2, 4), 5, 340, is_inner=is_inner)
    tokens, _ = run(find, [5] * 4, range(4), array)
    for row, own in enumerate(FORMS):
        ranking = model.ranking(row, 5, 0.6, "gnmt")
        found = [strip(ids) for ids in tokens[row] if strip(ids)]
        expected = [ids for _, ids in ranking if fits_as_words(ids, own, [(5,)])]
        assert {*found} <= {*expected}
        # A word may be a way, but does not begin with one and go on as no other. Near
        # the limit a term that was begun is not begun again.
        longest = max(len(way) for ways in own for way in ways)
        ends = [ids for ids in expected if ids[-1] == END]
        assert {ids for ids in ends if not holds(ids, (5,) * longest)} <= {*found}


@pytest.mark.parametrize("beam", [1, 4])
def test_forms_of_a_term_are_whole_words_in_the_least_room(automaton, run, beam):
    model = automaton(vocabulary=9)
    inner = (6, 7, 8)
    random = np.random.default_rng(2)

    def way():
        count = random.integers(0, 3)
        return (random.choice([4, 5]), *random.choice(inner, count))

    def term():
        return [way() for _ in range(random.integers(1, 3))]

    terms = [[term() for _ in range(random.integers(1, 4))] for _ in range(60)]
    room = [sum(min(map(len, ways)) for ways in own) for own in terms]
    limits = [fewest + n % 3 for n, fewest in enumerate(room)]
    is_inner = np.isin(np.arange(9), inner)
    find, array = search_of(model, terms, (4, 2, 4), 14, beam, is_inner=is_inner)
    tokens, scores = run(find, limits, range(60), array)
    assert np.all(scores[:, 0] > -np.inf)
    behind = [(n,) for n in inner]
    for row, own in enumerate(terms):
        found = [ids for ids, s in zip(tokens[row], scores[row]) if s > -np.inf]
        for ids in found:
            ids = tuple(ids[: limits[row]].tolist())
            assert fits_as_words(ids, own, behind), (ids, own, limits[row])


@pytest.mark.parametrize("beam", [1, 4])
def test_of_many_ways_to_write_a_term_the_model_chooses(automaton, run, strip, beam):
    """Where any word is a way to write it, one begins as with a free search."""
    model = automaton(vocabulary=16, states=29)
    terms = [[[[token] for token in model.ordinary]]] * 8
    find, array = search_of(model, terms, (1, 16, 1), 6, beam)
    tokens, _ = run(find, [6] * 8, range(8), array)

    def free(max_lengths, shifts):
        cache = model.cache(shifts)
        return beam_search(model.step, cache, max_lengths, (6,), beam=beam)

    expected, _ = run(free, [6] * 8, range(8))
    firsts = [strip(rows[0])[0] for rows in expected]
    found = [strip(rows[0])[0] for rows in tokens]
    wanted = [(own, first) for own, first in zip(found, firsts) if first != END]
    assert len(wanted) > 4 and all(own == first for own, first in wanted)


@pytest.mark.parametrize("beam", [1, 4])
def test_a_narrow_beam_has_all_terms_in_the_least_room(automaton, run, strip, beam):
    model = automaton(vocabulary=11)
    random = np.random.default_rng(1)

    def some(most):
        return range(random.integers(1, most))

    def way():
        return tuple(random.choice(model.ordinary, random.integers(1, 4)).tolist())

    terms = [[[way() for _ in some(3)] for _ in some(4)] for _ in range(40)]
    room = [sum(min(map(len, ways)) for ways in own) for own in terms]
    limits = [fewest + n % 3 for n, fewest in enumerate(room)]
    find, array = search_of(model, terms, (4, 2, 4), 14, beam)
    tokens, scores = run(find, limits, range(40), array)
    assert np.all(scores[:, 0] > -np.inf) and scores.shape[1] == beam
    for row, own in enumerate(terms):
        found = [strip(ids) for ids in tokens[row] if strip(ids)]
        assert len({*found}) == len(found)
        assert all(fits(ids, own) for ids in found)
        numbers = [
            model.log_prob(ids, row) / ((5 + len(ids)) / 6) ** 0.6 for ids in found
        ]
        np.testing.assert_allclose(scores[row][: len(found)], numbers, atol=1e-5)
    alone, _ = run(find, limits[7:8], [7], array[7:8])
    np.testing.assert_array_equal(alone[0], tokens[7])
