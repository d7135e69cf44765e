import keras
import numpy as np
import pytest
from keras import ops

from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.text.special_tokens import BEGIN, END, PAD

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def search_of(model, length, **options):
    def search(max_lengths, shifts, prefix=None):
        cache = model.cache(shifts)
        return beam_search(model.step, cache, max_lengths, (length,), prefix, **options)

    return search


def same_ranking(tokens, scores, expected, strip):
    """The hypotheses of one sentence are the expected `(score, tokens)`, best first."""
    count = len(expected)
    assert [strip(row) for row in tokens[:count]] == [own for _, own in expected]
    numbers = [score for score, _ in expected]
    np.testing.assert_allclose(scores[:count], numbers, atol=5e-6)
    assert np.all(scores[count:] == -np.inf) and np.all(tokens[count:] == PAD)


@pytest.mark.parametrize("penalty", ["gnmt", "power"])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_a_wide_beam_ranks_all_translations_as_brute_force_does(
    automaton, run, strip, alpha, penalty
):
    model = automaton()
    shifts = [0, 1, 5]
    max_lengths = [4, 3, 1]
    options = dict(beam=125, length_penalty=alpha, penalty=penalty)
    tokens, scores = run(search_of(model, 4, **options), max_lengths, shifts)
    for row, (shift, max_length) in enumerate(zip(shifts, max_lengths, strict=True)):
        expected = model.ranking(shift, max_length, alpha, penalty)
        same_ranking(tokens[row], scores[row], expected, strip)


@pytest.mark.parametrize("free", [0, 1, 2])
def test_a_prefix_is_forced_and_charged_but_for_its_free_part(
    automaton, run, strip, free
):
    model = automaton()
    prefix = [[4, 1], [5, PAD], [PAD, PAD]]
    search = search_of(model, 4, beam=125, free_prefix=free)
    tokens, scores = run(search, [4] * 3, range(3), prefix)
    for row, own in enumerate(map(strip, prefix)):
        is_free = min(free, len(own))
        expected = model.ranking(row, 4, 0.6, "gnmt", own, is_free)
        same_ranking(tokens[row], scores[row], expected, strip)


def test_copied_tokens_come_as_often_as_told(automaton, run, strip):
    """Of all translations those are ranked that hold them so often, and no others."""
    model = automaton()
    wanted = [[1, 1], [2, 0], [0, 0], [0, 4]]

    def search(max_lengths, shifts, wanted):
        cache = model.cache(shifts)
        options = dict(beam=125, copied=wanted, first_copied=4)
        return beam_search(model.step, cache, max_lengths, (4,), **options)

    tokens, scores = run(search, [4] * 4, range(4), wanted)
    for row, counts in enumerate(wanted):
        expected = [
            (score, own)
            for score, own in model.ranking(row, 4, 0.6, "gnmt")
            if [own.count(4), own.count(5)] == counts
        ]
        assert expected
        same_ranking(tokens[row], scores[row], expected, strip)


def repeats(tokens, size):
    runs = [tuple(tokens[n : n + size]) for n in range(len(tokens) - size + 1)]
    return len(runs) > len({*runs})


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_no_run_of_tokens_comes_twice(automaton, run, strip, size):
    """Of all translations those are ranked that repeat none, by their own scores."""
    model = automaton()
    search = search_of(model, 4, beam=125, no_repeat_ngram=size)
    tokens, scores = run(search, [4, 3, 1], range(3))
    for row, limit in enumerate([4, 3, 1]):
        ranked = model.ranking(row, limit, 0.6, "gnmt")
        expected = [one for one in ranked if not repeats(one[1], size)]
        assert (len(expected) < len(ranked)) == (size < limit)
        same_ranking(tokens[row], scores[row], expected, strip)


def test_a_narrow_beam_gives_real_scores_best_first(automaton, run, strip):
    model = automaton(vocabulary=11)
    tokens, scores = run(search_of(model, 12, beam=4), [12] * 7, range(7))
    assert np.all(np.diff(scores) <= 0) and np.all(np.isfinite(scores))
    for shift in range(7):
        hypotheses = [strip(row) for row in tokens[shift]]
        assert len(set(hypotheses)) == 4
        expected = [
            model.log_prob(own, shift) / ((5 + len(own)) / 6) ** 0.6
            for own in hypotheses
        ]
        np.testing.assert_allclose(scores[shift], expected, atol=1e-5)


def test_beam_of_one_is_greedy(automaton, run, strip):
    model = automaton(vocabulary=11, spread=1.0)
    max_lengths = [1 + shift % 13 for shift in range(31)]
    search = search_of(model, 13, beam=1, length_penalty=0.9, penalty="power")
    tokens, scores = run(search, max_lengths, range(31))
    expected = [model.greedy(shift, max_lengths[shift]) for shift in range(31)]
    assert [strip(row) for row in tokens[:, 0]] == expected
    assert {own[-1] == END for own in expected} == {True, False}
    scored = [
        model.log_prob(own, shift) / len(own) ** 0.9
        for shift, own in enumerate(expected)
    ]
    np.testing.assert_allclose(scores[:, 0], scored, atol=1e-5)


def ids_of(word):
    return (*[ALPHABET.index(letter) + 4 for letter in word], END)


def spelling(word):
    """A greedy search whose step spells a word whatever was generated."""
    table = keras.utils.to_categorical(ids_of(word), 30).astype("float32") * 20.0
    # Padding and the begin token tempt more than any letter.
    table[:, [PAD, BEGIN]] = 30.0

    def step(ids, cache, index):
        here = ops.minimum(ops.zeros_like(ids) + index, len(word))
        return ops.take(ops.convert_to_tensor(table), here, axis=0), cache

    def search(max_lengths, prefix=None):
        return beam_search(step, (), max_lengths, (17,), prefix, beam=1)

    return search


def test_spells_the_word_up_to_each_limit_and_end_is_not_forced(run, strip):
    tokens, _ = run(spelling("sequentially"), [17, 13, 3, 0])
    word = ids_of("sequentially")
    expected = [word, word, ids_of("seq")[:-1], ()]
    assert [strip(row) for row in tokens[:, 0]] == expected
    assert np.all(tokens[:, 0, 13:] == PAD)


def test_prefix_is_forced_then_the_search_is_free(run, strip):
    prefix = [ids_of("con")[:3], [4, PAD, PAD], [PAD] * 3]
    tokens, scores = run(spelling("sequentially"), [17] * 3, prefix)
    rows = [strip(row)[:-1] for row in tokens[:, 0]]
    words = ["".join(ALPHABET[token - 4] for token in row) for row in rows]
    assert words == ["conuentially", "aequentially", "sequentially"]
    assert scores[0] < scores[1] < scores[2]


def test_result_does_not_depend_on_batch_mates(automaton, run):
    model = automaton(vocabulary=11)
    shifts = np.arange(13)
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
    first = np.log([[1e-9, 1e-9, 1e-9, 0.4, 1e-9, 0.6]]).astype("float32")
    later = np.log([[1e-9, 1e-9, 1e-9, 0.01, 0.09, 0.9]]).astype("float32")

    def step(ids, cache, index):
        return ops.where(ops.expand_dims(ids == BEGIN, 2), first, later), cache

    def search(max_lengths):
        options = dict(beam=2, length_penalty=0.0)
        return beam_search(step, (), max_lengths, (17,), **options)

    tokens, scores = run(search, [17, 3])
    assert strip(tokens[0, 0]) == (END,) and strip(tokens[1, 0]) == (5, 5, 5)
    best = [np.log(0.4), np.log(0.6 * 0.9**2)]
    np.testing.assert_allclose(scores[:, 0], best, atol=1e-5)
    np.testing.assert_allclose(scores[1, 1], np.log(0.4), atol=1e-5)


def test_sentence_of_no_length_is_skipped(automaton, run):
    tokens, scores = run(search_of(automaton(), 4, beam=2), [0, 4], [0, 1])
    assert np.all(tokens[0] == PAD) and np.all(scores[0] == -np.inf)
    assert np.all(scores[1] > -np.inf)


def test_growing_the_cache_in_stages_changes_nothing(run):
    table = np.random.default_rng(0).normal(size=(7, 7)).astype("float32")

    # Logits are sums over the history, which is written into the cache.
    def step(ids, cache, index):
        positions = ops.expand_dims(ops.arange(cache.shape[1]), 1)
        new = ops.expand_dims(ids, 2)
        history = ops.where(positions == index, new, cache)
        rows = ops.take(ops.convert_to_tensor(table), history[:, :, 0], axis=0)
        seen = ops.where(positions <= index, rows, 0.0)
        return 3.0 * ops.sum(seen, axis=1, keepdims=True), history

    def search(max_lengths):
        results = []
        for lengths in ((11,), (2, 3, 11), (5, 11)):
            cache = ops.zeros((ops.shape(max_lengths)[0], lengths[0], 1), dtype="int32")
            results += beam_search(
                step, cache, max_lengths, lengths, beam=3, length_penalty=2.0
            )
        return results

    results = run(search, [11, 2, 4])
    for tokens, scores in zip(results[2::2], results[3::2], strict=True):
        np.testing.assert_array_equal(tokens, results[0])
        np.testing.assert_allclose(scores, results[1], atol=1e-6)
    assert np.any(results[0][:, :, 5] != PAD)  # the last stage is reached


def test_unknown_penalty_is_refused(automaton, run):
    message = "penalty must be 'gnmt' or 'power'; received 'paper'"
    with pytest.raises(ValueError, match=message):
        run(search_of(automaton(), 4, penalty="paper"), [4], [0])
