import shutil

import numpy as np
import pytest
from layer_checks import NOT_ON_JAX, ON_TORCH, marked, numpy, randomise

from keras_transformer import Translator
from keras_transformer.cli.main import main
from keras_transformer.config import DecodingConfig, preset
from keras_transformer.decoding.ensemble import Ensemble
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run

V = 11
SIZES = dict(source_vocab_size=V, target_vocab_size=V, d_model=8, d_ff=12, num_heads=2)
SIZES |= dict(encoder_layers=1, decoder_layers=1)
SOURCE = np.array([[5, 7, 9, 3], [8, 3, 0, 0]])
TARGET = np.array([[2, 6, 4], [2, 5, 0]])
TEXTS = ["a man is riding a bike", "two dogs", "a woman reads"]


def a_model(seed, **changes):
    return randomise(Transformer(preset("tiny", **{**SIZES, **changes})), seed)


@marked(NOT_ON_JAX)
def test_the_mean_of_the_probabilities():
    """Of models of several sizes, in float64."""
    models = [a_model(1), a_model(2, d_ff=24), a_model(3, decoder_layers=2)]
    inputs = {"source_ids": SOURCE, "target_ids": TARGET}
    each = [numpy(model(inputs)).astype("float64") for model in models]
    probabilities = [np.exp(own) / np.exp(own).sum(-1, keepdims=True) for own in each]
    found = numpy(Ensemble(models)(inputs))
    np.testing.assert_allclose(np.exp(found), np.mean(probabilities, axis=0), atol=1e-6)


@marked(NOT_ON_JAX)
def test_steps_give_what_a_call_gives():
    models = [a_model(1), a_model(2, d_ff=24)]
    ensemble = Ensemble(models)
    expected = numpy(ensemble({"source_ids": SOURCE, "target_ids": TARGET}))
    mask = np.array(SOURCE != 0)[:, None]
    memory = ensemble.cross_cache(ensemble.encoder(SOURCE, mask))
    cache = ensemble.empty_cache(2, 3)
    for index in range(3):
        ids = TARGET[:, index : index + 1]
        found, cache = ensemble.step(ids, cache, index, memory, mask)
        np.testing.assert_allclose(numpy(found)[:, 0], expected[:, index], atol=1e-5)


def test_vocabularies_must_be_the_same():
    other = a_model(2, target_vocab_size=13, share_embeddings=False)
    message = "models must have one vocabulary, with the same special ids; received"
    with pytest.raises(ValueError, match=message):
        Ensemble([a_model(1), other])
    with pytest.raises(ValueError, match="models must be at least one"):
        Ensemble([])


@marked(ON_TORCH)
def test_a_run_twice_translates_as_it_does_alone(trained):
    config = DecodingConfig(beam=3, n_best=2, extra_length=4)
    alone = Translator.load(trained, config)
    both = Translator.load([trained, trained], config)
    scores = []
    for translator in (alone, both):
        found = translator.hypotheses(TEXTS)
        scores.append([one.score for own in found for one in own])
    np.testing.assert_allclose(*scores, atol=1e-4)
    targets = alone(TEXTS)
    np.testing.assert_allclose(
        alone.score(TEXTS, targets), both.score(TEXTS, targets), atol=1e-4
    )
    message = "the runs of a translator must be one, where attention is asked for"
    for asks in (both.attention, lambda text: both.alignments([text], [text])):
        with pytest.raises(ValueError, match=message):
            asks(TEXTS[0])
    both._search = None  # it is not begun
    with pytest.raises(ValueError, match=message):
        next(both.stream(TEXTS, alignments=True))


@marked(ON_TORCH)
def test_runs_on_the_command_line(trained, tmp_path, capsys):
    other = shutil.copytree(trained, tmp_path / "other")
    few = ["--extra-length", "2"]
    assert main(["translate", str(trained), str(other), *TEXTS, *few]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    one = Run.open(trained)
    lines = ["quite other words", "and none of these"]
    tokenizer = type(one.tokenizers[0]).train(lines * 9, vocab_size=24)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    Run.begin(stranger, one.config, [tokenizer, tokenizer])
    message = "runs must have the tokenizers of '.*'; received '.*stranger'"
    with pytest.raises(ValueError, match=message):
        Translator.load([trained, stranger])
    with pytest.raises(ValueError, match="run must be a directory, or several"):
        Translator.load([])
