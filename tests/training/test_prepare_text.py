"""A language model is trained from text, resumed to the bit, measured, fine-tuned."""

import dataclasses
import math

import numpy as np
import pytest
from layer_checks import ON_TORCH, numpy

from keras_transformer.config import (
    CausalLMConfig,
    DataConfig,
    TrainingConfig,
    TransformerConfig,
)
from keras_transformer.evaluation.perplexity import perplexity
from keras_transformer.models.causal_lm import CausalLM
from keras_transformer.runs.run import Run
from keras_transformer.training.fitted import fitted_settings
from keras_transformer.training.train import train

# The training itself is that of `test_train.py`, which runs on each backend.
pytestmark = ON_TORCH
MODEL = CausalLMConfig(num_layers=1, d_model=16, d_ff=16, num_heads=2)
DATA = DataConfig(vocab_size=200, batch_tokens=400, max_length=24)
RECIPE = TrainingConfig(epochs=2, max_updates=12, warmup_updates=20, keep_last=9)
SETTINGS = dict(model=MODEL, data=DATA)


@pytest.fixture(scope="module")
def texts(corpus):
    """The paths of text to learn from, and of text held out: one side of pairs."""
    return dict(text=[corpus[0]], valid_text=corpus[2])


@pytest.fixture(scope="module")
def language_model(texts, tmp_path_factory):
    """A run that its tests only read."""
    run = tmp_path_factory.mktemp("language_model") / "run"
    train(run, **texts, **SETTINGS, training=RECIPE)
    return run


def test_a_run_knows_its_model(language_model):
    run = Run.open(language_model)
    assert run.config.is_language_model
    config = run.config.model
    assert (config.vocab_size, config.separate_documents) == (200, True)
    model = run.model()
    assert type(model) is CausalLM
    best = min(row["val_nats"] for row in run.log)
    assert best < math.log(200)
    (text,) = run.generator()(["A man"])
    assert text.startswith("A man")
    assert run.tokenizers[0] is run.tokenizers[1]
    card = (language_model / "README.md").read_text()
    assert "pipeline_tag: text-generation" in card
    assert "train: 200 documents of" in card


def test_a_resumed_run_ends_with_the_same_bits(language_model, texts, tmp_path):
    """Within an epoch too: the rows that are left are those that were not read."""
    run = tmp_path / "run"
    for updates in (5, 12):
        recipe = dataclasses.replace(RECIPE, max_updates=updates)
        train(run, **texts, **SETTINGS, training=recipe, resume=True)
    whole, parts = (Run.open(path) for path in (language_model, run))
    for one, other in zip(whole.model().weights, parts.model().weights):
        np.testing.assert_array_equal(numpy(one), numpy(other))
    rows = [[row["nats"] for row in opened.log] for opened in (whole, parts)]
    assert rows[0] == rows[1]


def test_perplexity(language_model, texts):
    """As the documents' own log-probabilities say, each on its own."""
    run = Run.open(language_model)
    path = texts["valid_text"]
    found = perplexity(language_model, path)
    lines = path.read_text("utf-8").splitlines()
    width = DATA.max_length
    short = [text for text in lines if len(run.tokenizers[0].encode([text])[0]) < width]
    assert short
    file = language_model.parent / "short.txt"
    # One document a row: none is cut.
    nats = 0.0
    tokens = 0
    for text in short:
        file.write_text(text + "\n", encoding="utf-8")
        scores = perplexity(run, [file])
        nats += scores.nats * scores.tokens
        tokens += scores.tokens
    expected = -sum(run.generator().score(["" for _ in short], short))
    assert nats == pytest.approx(expected, rel=1e-4)
    assert found.perplexity == pytest.approx(math.exp(found.nats))
    assert found.tokens >= tokens
    (name,) = [name for name in run.scores if name.startswith(path.name)]
    assert run.scores[name]["nats"] == found.nats
    assert (
        str(found)
        == f"perplexity {found.perplexity:.3f} ({found.nats:.4f} nats a token)"
    )


def test_perplexity_does_not_depend_on_the_order(language_model, texts, tmp_path):
    path = texts["valid_text"]
    lines = path.read_text("utf-8").splitlines()
    turned = tmp_path / "turned.txt"
    turned.write_text("\n".join(reversed(lines)) + "\n", encoding="utf-8")
    found = [perplexity(language_model, file).nats for file in (path, turned)]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_fine_tuning(language_model, texts, tmp_path):
    recipe = TrainingConfig(epochs=1, max_updates=1, lora_rank=2)
    model = train(tmp_path / "run", **texts, init_from=language_model, training=recipe)
    begun = Run.open(language_model)
    own = Run.open(tmp_path / "run")
    assert own.config.model == begun.config.model
    assert own.tokenizers[0].serialized == begun.tokenizers[0].serialized
    before = numpy(begun.model().decoder.embedding.token_embedding.embeddings)
    after = numpy(model.decoder.embedding.token_embedding.embeddings)
    np.testing.assert_array_equal(before, after)


def test_fitted_settings_go_by_words(corpus):
    found = fitted_settings(text=[corpus[0]])
    assert type(found.model) is CausalLMConfig
    assert (found.model.d_model, found.model.num_layers) == (128, 4)
    assert found.data.max_length == 256
    assert "200 documents, " in found.why
    assert "--preset tiny" in found.flags
    small = fitted_settings(text=[corpus[0]], preset="small", epochs=3, num_layers=2)
    assert (small.model.d_model, small.model.num_layers) == (256, 2)
    assert small.training.epochs == 3
    with pytest.raises(ValueError, match="given must be names of settings"):
        fitted_settings(text=[corpus[0]], encoder_layers=2)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(source="a"), "source must be absent with text; received 'a'"),
        (dict(text=None, valid_text="a", source="a"), "valid_text must be absent with"),
        (dict(text=None, valid_text=None), "model must be a TransformerConfig without"),
        (dict(model=TransformerConfig()), "model must be a CausalLMConfig with text"),
        (dict(data=DataConfig(max_ratio=3.0)), "max_ratio must be absent with text"),
        (dict(training=TrainingConfig(monitor="bleu")), "monitor must be 'loss' with"),
        (
            dict(training=TrainingConfig(bpe_dropout=0.1)),
            "bpe_dropout must be 0.0 with",
        ),
        (
            dict(training=TrainingConfig(word_dropout=0.1)),
            "word_dropout must be 0.0 with",
        ),
        (dict(text="nothing"), "nothing must be a readable text file"),
        (dict(text=[]), "text must be given to begin a run"),
        (
            dict(model=CausalLMConfig(positions="learned", max_positions=9)),
            "max_length must be at most max_positions=9",
        ),
    ],
)
def test_refusals(texts, tmp_path, changes, message):
    options = {**texts, **SETTINGS, **changes}
    if changes.get("valid_text") == "a":
        options["model"] = TransformerConfig()
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_kinds_of_runs_are_not_mixed(language_model, trained, texts, tmp_path):
    must = "must hold a translation model; received 'CausalLM'"
    with pytest.raises(ValueError, match=must):
        Run.open(language_model).translator()
    must = "must hold a language model; received 'Transformer'"
    with pytest.raises(ValueError, match=must):
        Run.open(trained).generator()
    with pytest.raises(ValueError, match=must):
        perplexity(trained, texts["text"])
    with pytest.raises(ValueError, match=must):
        train(tmp_path / "run", **texts, init_from=trained)
    with pytest.raises(ValueError, match="text must be at least one file"):
        perplexity(language_model, [])
