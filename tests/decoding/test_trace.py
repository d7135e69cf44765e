import numpy as np
import pytest
from keras import ops
from layer_checks import NOT_ON_JAX, ON_TORCH, marked

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.trace import recorder, step
from keras_transformer.decoding.translator import Translator
from keras_transformer.text.special_tokens import END, PAD

PIECES = ["<pad>", "<unk>", "<s>", "</s>", "x", "y"]


def ids_of(pieces):
    return tuple(PIECES.index(piece) for piece in pieces)


def check_step(machine, before, after, number, beam):
    """One step's hypotheses come from those that lived before it."""
    assert len(after.live) <= beam
    living = {pieces for pieces, _ in before.live}
    new = [pair for pair in after.finished if pair not in before.finished]
    for pieces, _ in (*after.live, *new):
        assert len(pieces) == number and pieces[:-1] in living
    for pieces, log_prob in after.live:
        expected = machine.log_prob(ids_of(pieces), 5)
        np.testing.assert_allclose(log_prob, expected, atol=1e-4)


@marked(ON_TORCH)
def test_the_steps_are_those_of_the_search(automaton, strip):
    machine = automaton()
    beam = 3
    states = []

    def search(**options):
        shift = ops.convert_to_tensor(np.array([5], "int32"))
        limit = ops.convert_to_tensor(np.array([6], "int32"))
        cache = machine.cache(shift)
        found = beam_search(machine.step, cache, limit, (6,), beam=beam, **options)
        return tuple(map(ops.convert_to_numpy, found))

    tokens, scores = search()
    recorded_tokens, recorded_scores = search(loop=recorder(states))
    np.testing.assert_array_equal(recorded_tokens, tokens)
    np.testing.assert_allclose(recorded_scores, scores, atol=1e-5)

    steps = [step(state, PIECES, PAD) for state in states]
    assert steps[0].live == (((), 0.0),) and steps[0].finished == ()
    for number, (before, after) in enumerate(zip(steps, steps[1:]), start=1):
        check_step(machine, before, after, number, beam)
    last = [ids_of(pieces) for pieces, _ in steps[-1].finished]
    assert last == [strip(row) for row in tokens[0]]


@marked(NOT_ON_JAX)
def test_translator_traces_its_own_translation(model, tokenizer):
    config = DecodingConfig(beam=2, n_best=2, extra_length=2)
    translator = Translator(model, tokenizer, config=config)
    steps = translator.trace("a man")
    (expected,) = translator.hypotheses(["a man"])
    for (pieces, score), hypothesis in zip(steps[-1].finished, expected, strict=True):
        ids = [tokenizer.pieces.index(piece) for piece in pieces]
        assert ids == list(hypothesis.ids)
        np.testing.assert_allclose(score, hypothesis.score, atol=1e-4)
    limit = len(tokenizer.encode(["a man"])[0]) + 1 + config.extra_length
    assert END in expected[0].ids or len(steps) == limit + 1


def test_another_search_has_no_trace(model, tokenizer):
    greedy = Translator(model, tokenizer, config=DecodingConfig(search="greedy"))
    message = "search must be 'beam' for a trace; received 'greedy'"
    with pytest.raises(ValueError, match=message):
        greedy.trace("a man")
