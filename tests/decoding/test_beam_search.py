import numpy as np
import pytest
from keras import ops

from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.greedy import greedy
from keras_transformer.text.special_tokens import BEGIN, END, PAD


def search_of(model, length, **options):
    def search(begin, max_lengths, shifts, prefix=None):
        return beam_search(
            model.step,
            model.cache(shifts),
            begin,
            max_lengths,
            length,
            prefix,
            **options,
        )

    return search


@pytest.mark.parametrize("penalty", ["gnmt", "power"])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_a_wide_beam_ranks_all_translations_as_brute_force_does(
    automaton, run, strip, alpha, penalty
):
    model, shifts, max_lengths = automaton(), [0, 1, 5], [4, 3, 1]
    options = dict(beam=125, length_penalty=alpha, penalty=penalty)
    tokens, scores = run(search_of(model, 4, **options), max_lengths, shifts)
    for row, (shift, max_length) in enumerate(zip(shifts, max_lengths, strict=True)):
        expected = model.ranking(shift, max_length, alpha, penalty)
        assert [strip(t) for t in tokens[row, : len(expected)]] == [
            t for _, t in expected
        ]
        np.testing.assert_allclose(
            scores[row, : len(expected)], [s for s, _ in expected], atol=5e-6
        )
        assert np.all(scores[row, len(expected) :] == -np.inf) and np.all(
            tokens[row, len(expected) :] == PAD
        )


def test_a_narrow_beam_gives_real_scores_best_first(automaton, run, strip):
    model, shifts = automaton(vocabulary=11), range(7)
    tokens, scores = run(search_of(model, 12, beam=4), [12] * 7, shifts)
    assert np.all(np.diff(scores) <= 0) and np.all(np.isfinite(scores))
    for shift in shifts:
        hypotheses = [strip(t) for t in tokens[shift]]
        assert len(set(hypotheses)) == 4
        expected = [
            model.log_prob(t, shift) / ((5 + len(t)) / 6) ** 0.6 for t in hypotheses
        ]
        np.testing.assert_allclose(scores[shift], expected, atol=1e-5)


def test_beam_of_one_is_greedy(automaton, run):
    model, shifts = automaton(vocabulary=11, spread=1.0), range(31)
    max_lengths = [1 + shift % 13 for shift in shifts]

    def both(begin, max_lengths, shifts):
        one = beam_search(
            model.step, model.cache(shifts), begin, max_lengths, 13, beam=1
        )
        other = greedy(model.step, model.cache(shifts), begin, max_lengths, 13)
        return *(x[:, 0] for x in one), *other

    tokens, scores, greedy_tokens, greedy_scores = run(both, max_lengths, shifts)
    np.testing.assert_array_equal(tokens, greedy_tokens)
    np.testing.assert_allclose(scores, greedy_scores, atol=1e-6)


def test_result_does_not_depend_on_batch_mates(automaton, run):
    model, shifts = automaton(vocabulary=11), np.arange(13)
    max_lengths = 1 + 3 * shifts % 14
    search = search_of(model, 14, beam=3)
    tokens, scores = run(search, max_lengths, shifts)
    for rows in ([4], [12, 4, 0], [4, 9]):
        some_tokens, some_scores = run(search, max_lengths[rows], shifts[rows])
        np.testing.assert_array_equal(some_tokens, tokens[rows])
        np.testing.assert_allclose(some_scores, scores[rows], atol=1e-6)


def test_finished_hypothesis_is_never_charged_again(run, strip):
    # After BEGIN: END or 5, which goes on for ever at log-probability log(0.9) a token;
    # with alpha 0 END stays worth log(0.4) however long the search lasts.
    def step(ids, index, cache):
        first = ops.convert_to_tensor(
            np.log([[1e-9, 1e-9, 1e-9, 0.4, 1e-9, 0.6]]).astype("float32")
        )
        later = ops.convert_to_tensor(
            np.log([[1e-9, 1e-9, 1e-9, 0.01, 0.09, 0.9]]).astype("float32")
        )
        return ops.where(ops.expand_dims(ids == BEGIN, 1), first, later), cache

    def search(begin, max_lengths):
        return beam_search(step, (), begin, max_lengths, 17, beam=2, length_penalty=0.0)

    tokens, scores = run(search, [17, 3])
    assert strip(tokens[0, 0]) == (END,) and strip(tokens[1, 0]) == (5, 5, 5)
    np.testing.assert_allclose(
        scores[:, 0], [np.log(0.4), np.log(0.6 * 0.9**2)], atol=1e-5
    )
    np.testing.assert_allclose(scores[1, 1], np.log(0.4), atol=1e-5)


def test_prefix_is_forced_and_charged(automaton, run, strip):
    model, shifts, prefix = automaton(), [0, 1, 2], [[4, 1], [5, PAD], [PAD, PAD]]
    tokens, scores = run(search_of(model, 4, beam=125), [4] * 3, shifts, prefix)
    for row, shift in enumerate(shifts):
        expected = model.ranking(shift, 4, 0.6, "gnmt", strip(prefix[row]))
        assert [strip(t) for t in tokens[row, : len(expected)]] == [
            t for _, t in expected
        ]
        np.testing.assert_allclose(
            scores[row, : len(expected)], [s for s, _ in expected], atol=5e-6
        )


def test_sentence_of_no_length_is_skipped(automaton, run):
    tokens, scores = run(search_of(automaton(), 4, beam=2), [0, 4], [0, 1])
    assert (
        np.all(tokens[0] == PAD)
        and np.all(scores[0] == -np.inf)
        and np.all(scores[1] > -np.inf)
    )


def test_growing_the_cache_in_stages_changes_nothing(run):
    table = np.random.default_rng(0).normal(size=(7, 7)).astype("float32")

    # Logits are sums over the history, which is written into the cache.
    def step(ids, index, cache):
        history = ops.where(
            ops.expand_dims(ops.arange(cache.shape[1]) == index, 1),
            ids[:, None, None],
            cache,
        )
        known = ops.expand_dims(ops.arange(cache.shape[1]) <= index, 1)
        rows = ops.take(ops.convert_to_tensor(table), history[:, :, 0], axis=0)
        return 3.0 * ops.sum(ops.where(known, rows, 0.0), axis=1), history

    def search(begin, max_lengths):
        results = []
        for lengths in ((11,), (2, 3, 11), (5, 11)):
            cache = ops.zeros((ops.shape(begin)[0], lengths[0], 1), dtype="int32")
            results += beam_search(
                step, cache, begin, max_lengths, lengths, beam=3, length_penalty=2.0
            )
        return results

    results = run(search, [11, 2, 4])
    for tokens, scores in zip(results[2::2], results[3::2], strict=True):
        np.testing.assert_array_equal(tokens, results[0])
        np.testing.assert_allclose(scores, results[1], atol=1e-6)
    assert np.any(results[0][:, :, 5] != PAD)  # the last stage is reached


def test_unknown_penalty_is_refused(automaton, run):
    with pytest.raises(
        ValueError, match="penalty must be 'gnmt' or 'power'; received 'paper'"
    ):
        run(search_of(automaton(), 4, penalty="paper"), [4], [0])
