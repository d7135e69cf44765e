import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH, SEARCHES, marked, translate_ids

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.compiled import compiled
from keras_transformer.text.special_tokens import BEGIN, END, PAD

SOURCES = np.array([[5, 9, 30, 41, END], [17, END, PAD, PAD, PAD]], "int32")
LIMITS = np.array([9, 6], "int32")
SEEDS = np.array([[1, 2], [3, 4]], "int32")
GIVEN = 7
WISH = 23


def token_log_probs(model, row, ids):
    """The log-probabilities of one source's translation, by one call of the model."""
    inputs = np.array([[BEGIN, *ids[:-1]]], "int32")
    logits = model({"source_ids": SOURCES[row : row + 1], "target_ids": inputs})
    chosen = ops.convert_to_numpy(ops.log_softmax(logits))[0]
    return chosen[np.arange(len(ids)), ids]


@marked(ON_TORCH)
@pytest.mark.parametrize("search", SEARCHES)
def test_one_mechanism_of_forced_tokens(model, strip, search):
    """The format's prefix costs nothing, a sentence's own is charged."""
    n_best = 1 if search == "greedy" else 2
    config = DecodingConfig(search=search, beam=3, n_best=n_best, length_penalty=0.0)

    def translations(prefix, target_prefix):
        def search(*arrays):
            options = dict(lengths=(4, 9), target_prefix=target_prefix)
            return translate_ids(model, config, *arrays, **options)

        wishes = np.array(prefix or [[], []], "int32")
        arrays = (SOURCES, LIMITS, SEEDS[:, :n_best], wishes)
        found = compiled(search, model)(*map(ops.convert_to_tensor, arrays))
        return tuple(map(ops.convert_to_numpy, found))

    def check(found, begins, free):
        for row, hypotheses in enumerate(found[0]):
            for ids, score in zip(map(strip, hypotheses), found[1][row]):
                if score > -np.inf:
                    assert ids[: len(begins[row])] == begins[row]
                    expected = token_log_probs(model, row, ids)[free:].sum()
                    np.testing.assert_allclose(score, expected, atol=1e-4)

    charged = translations([[GIVEN], [GIVEN]], ())
    free = translations(None, (GIVEN,))
    np.testing.assert_array_equal(free[0], charged[0])
    check(charged, [(GIVEN,)] * 2, free=0)
    check(free, [(GIVEN,)] * 2, free=1)
    both = translations([[GIVEN, WISH], [GIVEN, PAD]], (GIVEN,))
    check(both, [(GIVEN, WISH), (GIVEN,)], free=1)
    np.testing.assert_array_equal(both[0][1], free[0][1])
