"""The coverage penalty: what is left untranslated loses."""

import dataclasses

import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH, marked

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding import coverage as coverages
from keras_transformer.decoding.base_translator import Hypothesis
from keras_transformer.decoding.coverage import coverage, ranked
from keras_transformer.decoding.ensemble import Ensemble
from keras_transformer.decoding.translator import Translator

BETA = 3.0
CONFIG = DecodingConfig(beam=4, extra_length=3, batch_size=8)


class Pads:
    class config:
        pad_id = 0


def test_worked_by_hand(monkeypatch):
    # Of two sentences: three source tokens and two, three steps and one.
    weights = [
        [[0.5, 0.25, 0.25], [0.75, 0.125, 0.125], [0.5, 0.375, 0.125]],
        [[0.75, 0.25, 0.0], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]],
    ]
    given = ops.convert_to_tensor(np.array(weights, "float32"))
    monkeypatch.setattr(coverages, "aligning", lambda *arrays: given)
    sources = ops.convert_to_tensor([[5, 6, 3], [5, 3, 0]])
    labels = ops.convert_to_tensor([[7, 8, 3], [3, 0, 0]])
    found = coverage(Pads, sources, None, labels)
    # The first token of the first got 1.75, which is no more than 1.
    expected = [np.log(0.75) + np.log(0.5), np.log(0.75) + np.log(0.25)]
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-5)


def test_ranks():
    found = ranked([Hypothesis("a", -1.0, (1,)), Hypothesis("b", -2.0, (2,))], [-3, -1])
    assert [(one.text, one.score) for one in found] == [("b", -3.0), ("a", -4.0)]


@marked(ON_TORCH)
def test_a_translator_ranks_its_beam_again(model, tokenizer, sentences):
    texts = sentences(9, seed=2)
    plain = dataclasses.replace(CONFIG, n_best=4)
    whole = Translator(model, tokenizer, config=plain).hypotheses(texts)
    own = dataclasses.replace(CONFIG, n_best=2, coverage_penalty=BETA)
    translator = Translator(model, tokenizer, config=own)
    found = translator.hypotheses(texts)
    moved = 0
    for text, some, chosen in zip(texts, whole, found, strict=True):
        expected = {
            one.ids: one.score + BETA * covered(translator, text, one) for one in some
        }
        best = sorted(expected.values(), reverse=True)[:2]
        assert [one.score for one in chosen] == pytest.approx(best, abs=1e-4)
        assert all(
            one.score == pytest.approx(expected[one.ids], abs=1e-4) for one in chosen
        )
        moved += chosen[0].ids != some[0].ids
    assert moved  # or the test shows nothing


def covered(translator, text, hypothesis):
    """The coverage by the weights of all layers, as pictures show them."""
    weights = translator.attention(text, hypothesis)
    layer = max(0, len(weights.cross) - 2)
    # One at its limit has no END: the step that would write it does not count.
    steps = weights.cross[layer].mean(axis=0)[: len(hypothesis.ids)]
    looked = steps.sum(axis=0)
    return np.log(np.minimum(looked, 1.0)).sum()


def test_where_there_is_none(model, tokenizer):
    own = dataclasses.replace(CONFIG, coverage_penalty=1.0)
    with pytest.raises(ValueError, match="coverage_penalty must be 0 with an ensemble"):
        Translator(Ensemble([model, model]), tokenizer, config=own)
    with pytest.raises(ValueError, match="coverage_penalty must be"):
        dataclasses.replace(own, search="greedy")
