import functools

import numpy as np
import pytest
from keras import ops

from keras_transformer.decoding.beam_search import BeamSearch
from keras_transformer.decoding.sampling import Sampling
from keras_transformer.decoding.search import OURS, Request, top_k
from keras_transformer.text.special_tokens import PAD, SpecialTokens

GREEDY = functools.partial(BeamSearch, beam=1)
# Where each id of the automaton is in a vocabulary whose special ids are others.
PLACES = np.array([5, 1, 3, 0, 2, 4])
OTHERS = SpecialTokens(pad=5, begin=3, end=0)


# The first two have no groups.
@pytest.mark.parametrize("vocabulary", [7, 67, 96, 1200])
def test_top_k_by_groups_is_top_k(vocabulary):
    rows = np.tile(np.arange(vocabulary, dtype="float32"), (5, 1))
    logits = np.random.default_rng(0).permuted(rows, axis=1)
    found = top_k(ops.convert_to_tensor(logits), 6)
    values, ids = map(ops.convert_to_numpy, found)
    expected = np.argsort(-logits, axis=1)[:, :6]
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(logits, expected, axis=1))
    assert ids.dtype == np.int32


def searching(search, model, special=OURS, step=None, **options):
    """A search of seven positions; the seeds of a sample are the shifts."""

    def call(max_lengths, shifts, prefix=None):
        seeds = ops.expand_dims(shifts, 1)
        request = Request(max_lengths, prefix=prefix, seeds=seeds)
        own = search(step or model.step, special=special, **options)
        return own(request, model.cache(shifts), (7,))

    return call


@pytest.mark.parametrize("search", [GREEDY, BeamSearch, Sampling])
def test_other_special_ids_change_nothing_else(automaton, run, search):
    model = automaton()
    names = np.argsort(PLACES).astype("int32")

    def renamed(ids, cache, index):
        own = ops.take(ops.convert_to_tensor(names), ids)
        logits, cache = model.step(own, cache, index)
        return ops.take(logits, ops.convert_to_tensor(names), axis=2), cache

    limits = [7, 7, 3, 0, 7]
    prefix = np.array([[4, PAD], [PAD, PAD], [5, 1], [PAD, PAD], [1, PAD]])
    tokens, scores = run(searching(search, model), limits, range(5), prefix)
    theirs = searching(search, model, OTHERS, renamed)
    other_tokens, other_scores = run(theirs, limits, range(5), PLACES[prefix])
    assert np.any(tokens != PAD)
    np.testing.assert_array_equal(other_tokens, PLACES[tokens])
    np.testing.assert_allclose(other_scores, scores, atol=1e-6)


@pytest.mark.parametrize("search", [GREEDY, BeamSearch, Sampling])
def test_a_free_prefix_costs_nothing(automaton, run, strip, search):
    """The first of the forced tokens is free, the second is charged, both are there."""
    model = automaton()
    penalty = {} if search is Sampling else {"length_penalty": 0.0}
    prefix = [[4, 1], [5, 4], [1, PAD]]
    arrays = ([7] * 3, range(3), prefix)
    tokens, charged = run(searching(search, model, **penalty), *arrays)
    cheap = searching(search, model, free_prefix=1, **penalty)
    same_tokens, scores = run(cheap, *arrays)
    np.testing.assert_array_equal(same_tokens, tokens)
    tokens = tokens.reshape(3, -1, 7)
    for row, own in enumerate(map(strip, prefix)):
        saved = charged.reshape(3, -1)[row] - scores.reshape(3, -1)[row]
        np.testing.assert_allclose(saved, model.log_prob(own[:1], row), atol=1e-5)
        best = strip(tokens[row, 0])
        assert best[: len(own)] == own
        expected = model.log_prob(best, row, free=1)
        np.testing.assert_allclose(scores.reshape(3, -1)[row, 0], expected, atol=1e-5)
