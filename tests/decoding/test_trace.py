import dataclasses

import numpy as np
import pytest
from keras import ops

from keras_transformer.config import DecodingConfig, TransformerConfig
from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.trace import recorder, step
from keras_transformer.decoding.translator import Translator
from keras_transformer.models.transformer import Transformer
from keras_transformer.text.special_tokens import BEGIN, END, PAD
from keras_transformer.text.tokenizer import Tokenizer

PIECES = ["<pad>", "<unk>", "<s>", "</s>", "x", "y"]


def test_the_steps_are_those_of_the_search(automaton, strip):
    machine, states, beam = automaton(), [], 3
    arrays = [
        ops.convert_to_tensor(np.array([value], "int32")) for value in (5, BEGIN, 6)
    ]
    search = dict(beam=beam, length_penalty=0.6)
    tokens, scores = beam_search(
        machine.step, machine.cache(arrays[0]), *arrays[1:], 6, **search
    )
    recorded = beam_search(
        machine.step,
        machine.cache(arrays[0]),
        *arrays[1:],
        6,
        **search,
        loop=recorder(states),
    )
    for found, expected in zip(recorded, (tokens, scores)):
        np.testing.assert_allclose(
            ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=1e-5
        )

    steps = [step(state, PIECES, PAD) for state in states]
    assert steps[0].live == (((), 0.0),) and steps[0].finished == ()
    for number, (before, after) in enumerate(zip(steps, steps[1:]), start=1):
        assert len(after.live) <= beam and all(
            len(pieces) == number for pieces, _ in after.live
        )
        living = {pieces for pieces, _ in before.live}
        assert all(pieces[:-1] in living for pieces, _ in after.live)
        new = [pair for pair in after.finished if pair not in before.finished]
        assert all(len(pieces) == number and pieces[:-1] in living for pieces, _ in new)
        for pieces, log_prob in after.live:
            ids = [PIECES.index(piece) for piece in pieces]
            np.testing.assert_allclose(log_prob, machine.log_prob(ids, 5), atol=1e-4)
    last = [
        tuple(PIECES.index(piece) for piece in pieces)
        for pieces, _ in steps[-1].finished
    ]
    assert last == [strip(row) for row in ops.convert_to_numpy(tokens)[0]]


def test_translator_traces_its_own_translation():
    tokenizer = Tokenizer.train(
        ["a man rides a bike", "a woman sees the red house"], vocab_size=31
    )
    sizes = dict(encoder_layers=1, decoder_layers=1, d_model=8, d_ff=11, num_heads=1)
    model = Transformer(
        TransformerConfig(source_vocab_size=31, target_vocab_size=31, **sizes)
    )
    config = DecodingConfig(beam=2, n_best=2, extra_length=2)
    translator = Translator(model, tokenizer, config=config)
    steps, (expected,) = translator.trace("a man"), translator.hypotheses(["a man"])
    for (pieces, score), hypothesis in zip(steps[-1].finished, expected, strict=True):
        assert [tokenizer.pieces.index(piece) for piece in pieces] == list(
            hypothesis.tokens
        )
        np.testing.assert_allclose(score, hypothesis.score, atol=1e-4)
    assert (
        END in expected[0].tokens
        or len(steps) == len(tokenizer.encode(["a man"])[0]) + 4
    )
    greedy = Translator(
        model, tokenizer, config=dataclasses.replace(config, search="greedy", n_best=1)
    )
    with pytest.raises(
        ValueError, match="search must be 'beam' for a trace; received 'greedy'"
    ):
        greedy.trace("a man")
