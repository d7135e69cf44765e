import numpy as np
import pytest
from keras import ops

from keras_transformer.decoding.sampling import Sampling, uniform
from keras_transformer.decoding.search import Request
from keras_transformer.text.special_tokens import BEGIN, PAD

# Of pad, unknown, begin, end, and three more.
PROBABILITIES = np.array([0.1, 0.02, 0.1, 0.03, 0.3, 0.2, 0.25])


def step(ids, cache, index):
    logits = ops.convert_to_tensor(np.log(PROBABILITIES).astype("float32"))
    one_row = ops.reshape(logits, (1, 1, -1))
    return ops.repeat(one_row, ops.shape(ids)[0], axis=0), cache


def draw(run, count=512, length=5, first_seed=0, **options):
    def search(limits, seeds):
        request = Request(limits, seeds=ops.expand_dims(seeds, 1))
        return Sampling(step, **options)(request, (), (length,))

    found = run(search, [length] * count, range(first_seed, first_seed + count))
    return tuple(array[:, 0] for array in found)


def frequencies(tokens):
    counts = np.bincount(tokens.ravel(), minlength=7).astype(float)
    counts[PAD] = 0
    return counts / counts.sum()


def test_frequencies_are_the_models(run):
    allowed = np.where([t in (PAD, BEGIN) for t in range(7)], 0, PROBABILITIES)
    np.testing.assert_allclose(
        frequencies(draw(run, 2048)[0]), allowed / allowed.sum(), atol=0.02
    )


@pytest.mark.parametrize(
    ("options", "tokens_left"),
    [
        ({"top_k": 1}, [4]),
        ({"top_k": 2}, [4, 6]),
        ({"top_p": 0.3}, [4]),
        ({"top_p": 0.65}, [4, 6]),
        ({"top_p": 0.7}, [4, 5, 6]),
    ],
)
def test_never_leaves_the_set(run, options, tokens_left):
    frequency = frequencies(draw(run, **options)[0])
    assert np.flatnonzero(frequency).tolist() == tokens_left
    expected = PROBABILITIES[tokens_left] / PROBABILITIES[tokens_left].sum()
    np.testing.assert_allclose(frequency[tokens_left], expected, atol=0.03)


def test_no_run_of_tokens_comes_twice(run):
    tokens, _ = draw(run, length=7, no_repeat_ngram=2)
    plain, _ = draw(run, length=7)

    def repeating(rows):
        pairs = [[*zip(row, row[1:])] for row in rows.tolist()]
        pairs = [[pair for pair in own if PAD not in pair] for own in pairs]
        return sum(len(own) > len({*own}) for own in pairs)

    assert repeating(plain) > 50 and repeating(tokens) == 0


def test_temperature_sharpens_and_score_stays_the_models(run):
    tokens, scores = draw(run, temperature=0.2)
    sharp = np.where([t in (PAD, BEGIN) for t in range(7)], 0, PROBABILITIES**5)
    np.testing.assert_allclose(frequencies(tokens), sharp / sharp.sum(), atol=0.03)
    expected = np.where(tokens == PAD, 0.0, np.log(PROBABILITIES)[tokens]).sum(axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_sample_depends_on_its_seed_alone(run):
    tokens, _ = draw(run, 64)
    np.testing.assert_array_equal(draw(run, 7, first_seed=40)[0], tokens[40:47])
    assert len({tuple(row) for row in tokens}) > 32


def test_numbers_are_uniform_and_alike_on_every_backend():
    numbers = ops.convert_to_numpy(uniform(ops.arange(10_000, dtype="int32"), 3))
    np.testing.assert_allclose(np.histogram(numbers, 8, (0, 1))[0], 1250, atol=120)
    np.testing.assert_allclose(numbers[:3], [0.296999, 0.075729, 0.501845], atol=1e-6)
