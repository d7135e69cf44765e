import keras
import numpy as np
from keras import ops

from keras_transformer.decoding.greedy import greedy
from keras_transformer.text.special_tokens import BEGIN, END, PAD

ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def ids_of(word):
    return [ALPHABET.index(letter) + 4 for letter in word] + [END]


def spell(word):
    """A step that follows the letters of a word whatever was generated."""
    table = keras.utils.to_categorical(ids_of(word), 30).astype("float32") * 20.0

    def step(ids, index, cache):
        logits = ops.take(
            ops.convert_to_tensor(table), ops.minimum(index, len(word)), axis=0
        )
        # Padding and the begin token tempt more than any letter.
        tempting = 30.0 * ops.cast(
            (ops.arange(30) == PAD) | (ops.arange(30) == BEGIN), "float32"
        )
        return ops.repeat(
            ops.expand_dims(logits + tempting, 0), ops.shape(ids)[0], axis=0
        ), cache

    return step


def test_spells_the_word_and_stops(run, strip):
    tokens, scores = run(
        lambda begin, limits: greedy(spell("sequentially"), (), begin, limits, 17),
        [17, 17],
    )
    assert strip(tokens[0]) == strip(tokens[1]) == tuple(ids_of("sequentially"))
    assert np.all(tokens[:, 13:] == PAD)


def test_each_sentence_has_its_own_limit_and_end_is_not_forced(run, strip):
    tokens, _ = run(
        lambda begin, limits: greedy(spell("sequentially"), (), begin, limits, 17),
        [3, 13, 0],
    )
    assert [strip(row) for row in tokens] == [
        tuple(ids_of("seq")[:-1]),
        tuple(ids_of("sequentially")),
        (),
    ]


def test_score_is_the_log_probability_over_the_penalty(automaton, run, strip):
    model, shifts = automaton(), [0, 1, 2, 3, 4]

    def search(begin, limits, shifts):
        return greedy(
            model.step,
            model.cache(shifts),
            begin,
            limits,
            7,
            length_penalty=0.9,
            penalty="power",
        )

    tokens, scores = run(search, [7] * 5, shifts)
    expected = [
        model.log_prob(strip(tokens[row]), row) / len(strip(tokens[row])) ** 0.9
        for row in shifts
    ]
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_prefix_is_forced_then_the_search_is_free(run, strip):
    prefix = np.array([ids_of("con")[:3], [4, PAD, PAD], [PAD] * 3])
    search = lambda begin, limits, prefix: greedy(
        spell("sequentially"), (), begin, limits, 17, prefix
    )  # noqa: E731
    tokens, scores = run(search, [17] * 3, prefix)
    words = ["".join(ALPHABET[t - 4] for t in strip(row)[:-1]) for row in tokens]
    assert words == ["conuentially", "aequentially", "sequentially"]
    assert scores[0] < scores[1] < scores[2]
