"""Settings that are fitted to a corpus, and plans that cannot end well."""

import dataclasses
import gzip
import itertools
import random
import shlex

import pytest
from layer_checks import ON_TORCH
from small import MODEL

from keras_transformer.cli.flags import FITTED
from keras_transformer.cli.parser import parse
from keras_transformer.config import (
    NO_FLAGS,
    SIZES,
    DataConfig,
    TrainingConfig,
    TransformerConfig,
    preset,
)
from keras_transformer.data.examples import captions
from keras_transformer.data.pairs import read_pairs
from keras_transformer.runs.run import RunConfig
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training import fitted as fitting
from keras_transformer.training.fitted import CorpusSize, fitted_settings, settings_for
from keras_transformer.training.rules import FINE_TUNING, RULES

pytestmark = ON_TORCH
MULTI30K = CorpusSize(pairs=29_000, words=335_826, characters=102, repeated=14_487)

FIELDS = {"preset"} | {
    field.name
    for config in (TransformerConfig, DataConfig, TrainingConfig)
    for field in dataclasses.fields(config)
} - {*NO_FLAGS}


def write(folder, *sides):
    paths = [folder / f"text.{number}" for number in range(len(sides))]
    for path, lines in zip(paths, sides):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return paths


def test_the_size_of_a_corpus(tmp_path):
    source = ["A man, a man, 12 men.", "", "cafe\u0301"]
    target = ["我有一本书。", "x", "我有"]
    size = CorpusSize.of(read_pairs(*write(tmp_path, source, target)))
    # Sources have 6 + 1 words, targets 3 + 1 + 1.
    assert (size.pairs, size.words) == (2, 6)
    assert size.repeated == 2  # man, 我有
    assert size.characters == len({*"".join(source + target).replace("e\u0301", "é")})


def test_words_are_those_of_the_whole_corpus(monkeypatch):
    """Whichever of two corpora comes first."""
    monkeypatch.setattr(fitting, "SAMPLE", 20)
    short = [("a man", "ein Mann")] * 500
    long = [("a man on a big red bike " * 5, "ein Mann " * 10)] * 500
    for corpus in (short + long, long + short):
        found = CorpusSize.of(corpus).words
        assert found == pytest.approx(500 * (2 + 27.5), rel=0.05)


def test_the_rule_is_what_was_measured_on_multi30k():
    fitted = settings_for(MULTI30K, max_minutes=45.0)
    model = preset("small", norm_first=True, dropout=0.3)
    assert fitted.model == model
    assert fitted.data == DataConfig(vocab_size=6000, batch_tokens=2048)
    assert fitted.training == TrainingConfig(
        epochs=100,
        max_minutes=45.0,
        warmup_updates=600,
        learning_rate_scale=0.7,
        patience=10,
    )
    assert fitted.flags.split(" --")[0] == "--preset small"
    assert fitted.why.startswith("29,000 pairs, 335,826 words a side: little text")


@pytest.mark.parametrize("words", RULES)
def test_more_text_gets_more_of_everything(words):
    here = settings_for(CorpusSize(max(1, words // 20), words, 300, 100_000))
    assert here.training.warmup_updates <= 4000
    if words:
        before = settings_for(CorpusSize(words // 20, words - 1, 300, 100_000))
        assert size_of(here) > size_of(before)


def size_of(fitted):
    return fitted.model.parameters, fitted.data.vocab_size


def test_what_is_fitted_is_what_the_help_says():
    named = {name for rule in (*RULES.values(), FINE_TUNING) for name in rule}
    assert named - {"why", "preset", *SIZES[:-1]} == {*FITTED}


@pytest.mark.parametrize("preset_given", [{}, {"preset": "tiny"}, {"epochs": 3}])
@pytest.mark.parametrize(
    "words", [200, 34_000, 340_000, 10**6, 3 * 10**6, 10**8, 10**9]
)
def test_the_flags_give_the_very_same_settings(words, preset_given):
    size = CorpusSize(words // 10, words, 102, 14_000)
    fitted = settings_for(size, **preset_given)
    chosen = parse(["train", "RUN", *shlex.split(fitted.flags)])
    given = {name: vars(chosen)[name] for name in vars(chosen) if name in FIELDS}
    again = settings_for(size, **given)
    assert (again.model, again.data, again.training) == (
        fitted.model,
        fitted.data,
        fitted.training,
    )
    assert again.flags == fitted.flags


def test_what_is_given_stands():
    given = dict(dropout=0.15, patience=None, vocab_size=500, warmup_updates=2400)
    fitted = settings_for(MULTI30K, **given)
    assert (fitted.model.dropout, fitted.training.patience) == (0.15, None)
    assert (fitted.data.vocab_size, fitted.training.warmup_updates) == (500, 2400)
    assert fitted.training.learning_rate_scale == 1.4  # the peak's: 0.7 * 4 ** 0.5
    tiny = settings_for(MULTI30K, preset="tiny")
    assert tiny.model == preset("tiny", norm_first=True, dropout=0.3)
    large = settings_for(CorpusSize(10**5, 2 * 10**6, 100, 10**5), preset="small")
    assert large.model == preset("small", dropout=0.3)
    with pytest.raises(ValueError, match=r"given must be names .*; received \['x'\]"):
        settings_for(MULTI30K, x=1)
    with pytest.raises(ValueError, match="epochs must be at least 1; received 0"):
        settings_for(MULTI30K, epochs=0)


@pytest.mark.parametrize("limit", [dict(epochs=2), dict(max_updates=400)])
def test_a_short_plan_has_a_short_warm_up_of_the_same_peak(limit):
    plan = settings_for(MULTI30K, **limit).training
    updates = limit.get("max_updates", 2 * 286)
    assert plan.warmup_updates == updates // 4
    peak = plan.learning_rate_scale * plan.warmup_updates**-0.5
    assert peak == pytest.approx(0.7 * 600**-0.5, rel=0.01)


def test_without_validation_pairs_there_are_fewer_epochs():
    plan = settings_for(MULTI30K, validated=False).training
    assert (plan.epochs, plan.patience) == (25, None)


def test_the_paper_s_layer_norm_gets_a_lower_rate():
    plan = settings_for(MULTI30K, norm_first=False).training
    assert plan.learning_rate_scale == 0.35


def test_a_run_that_begins_with_another_keeps_its_model_and_data():
    begun = RunConfig(MODEL, DataConfig(vocab_size=200), TrainingConfig())
    fitted = settings_for(MULTI30K, begun, dropout=0.2, batch_tokens=512)
    assert fitted.model == dataclasses.replace(MODEL, dropout=0.2)
    assert fitted.data == DataConfig(vocab_size=200, batch_tokens=512)
    assert (fitted.training.epochs, fitted.training.patience) == (10, 3)
    assert fitted.training.warmup_updates == 200
    assert "--preset" not in fitted.flags and "--vocab-size" not in fitted.flags


def corpora():
    """Small corpora of many kinds."""
    words = random.Random(0)
    characters = [
        chr(0x4E00 + min(int(words.paretovariate(1)), 900)) for _ in range(9000)
    ]
    yield ["".join(characters[at : at + 9]) for at in range(0, 9000, 9)]
    yield ["a man rides"] * 5
    yield ["1 2 3 10 10"] * 20
    yield [f"w{number} x{number}" for number in range(9)] * 2
    yield [f"{number}" for number in range(100)] * 2
    yield ["".join(words.choices("abc", k=20)) for _ in range(50)]
    yield ["Donaudampfschifffahrtsgesellschaftskapitän"] * 3
    for count in (3, 30, 300, 1000):
        paths = captions("valid") + captions("train")
        with gzip.open(paths[count % 2], "rt", encoding="utf-8") as lines:
            yield [line.strip() for line in itertools.islice(lines, count)]


@pytest.mark.parametrize("lines", corpora())
@pytest.mark.parametrize("tokenizer", ["bpe", "unigram"])
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_a_fitted_vocabulary_can_be_learnt(tmp_path, lines, tokenizer, byte_fallback):
    given = dict(tokenizer=tokenizer, byte_fallback=byte_fallback)
    data = fitted_settings(list(zip(lines, lines)), drop_copies=False, **given).data
    learnt = Tokenizer.train(lines + lines, data.vocab_size, tokenizer, byte_fallback)
    assert learnt.vocab_size == data.vocab_size
