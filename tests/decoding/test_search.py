import numpy as np
import pytest
from keras import ops

from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.greedy import greedy
from keras_transformer.decoding.sampling import sampling
from keras_transformer.decoding.search import top_k
from keras_transformer.text.special_tokens import BEGIN, PAD


# The first two have no groups.
@pytest.mark.parametrize("vocabulary", [7, 67, 96, 1200])
def test_top_k_by_groups_is_top_k(vocabulary):
    logits = np.random.default_rng(0).permuted(
        np.tile(np.arange(vocabulary, dtype="float32"), (5, 1)), axis=1
    )
    values, ids = (
        ops.convert_to_numpy(x) for x in top_k(ops.convert_to_tensor(logits), 6)
    )
    expected = np.argsort(-logits, axis=1)[:, :6]
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(logits, expected, axis=1))
    assert ids.dtype == np.int32


# Where each id of the automaton is in a vocabulary whose special ids are others: pad 5,
# begin 3, end 0.
PLACES = np.array([5, 1, 3, 0, 2, 4])
OTHERS = dict(end=0, pad=5, never=(3, 5))


def renamed(step):
    """The same step with those ids."""
    names = np.argsort(PLACES)

    def other(ids, index, cache):
        logits, cache = step(
            ops.take(ops.convert_to_tensor(names.astype("int32")), ids), index, cache
        )
        return ops.take(
            logits, ops.convert_to_tensor(names.astype("int32")), axis=1
        ), cache

    return other


@pytest.mark.parametrize("search", [greedy, beam_search, sampling])
def test_other_special_ids_change_nothing_else(automaton, run, search):
    model, shifts, limits = automaton(), np.arange(5), [7, 7, 3, 0, 7]
    prefix = np.array([[4, PAD], [PAD, PAD], [5, 1], [PAD, PAD], [1, PAD]])
    options = {"seeds": shifts} if search is sampling else {}

    def ours(begin, limits, shifts, prefix):
        return search(
            model.step, model.cache(shifts), begin, limits, 7, prefix, **options
        )

    def theirs(begin, limits, shifts, prefix):
        begin = ops.full_like(begin, PLACES[BEGIN])
        return search(
            renamed(model.step),
            model.cache(shifts),
            begin,
            limits,
            7,
            prefix,
            **options,
            **OTHERS,
        )

    tokens, scores = run(ours, limits, shifts, prefix)
    other_tokens, other_scores = run(theirs, limits, shifts, PLACES[prefix])
    assert np.any(tokens != PAD)
    np.testing.assert_array_equal(other_tokens, PLACES[tokens])
    np.testing.assert_allclose(other_scores, scores, atol=1e-6)
