"""Pairs of any kind to train on; some of them are held out where none are given."""

import dataclasses
import json

import pytest
from layer_checks import ON_TORCH
from small import DATA, MODEL, clean, training

from keras_transformer import evaluate, train
from keras_transformer.data.pairs import read_pairs
from keras_transformer.data.store import TokenStore
from keras_transformer.runs.card import CLEANED
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.training.prepare import prepare

pytestmark = ON_TORCH
HELD = dataclasses.replace(DATA, valid_size=None)


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    """A run of two updates; one pair is given twice, and one is a copy."""
    pairs = list(read_pairs(*corpus[:2]))
    rows = [{"en": source, "de": target} for source, target in pairs]
    rows += [rows[0], {"en": rows[1]["en"], "de": rows[1]["en"]}, {"en": "", "de": "x"}]
    path = tmp_path_factory.mktemp("held") / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = read_pairs(path, source_language="en", target_language="de")
    place = path.parent / "run"
    recipe = training(max_updates=2)
    train(place, pairs=given, model=MODEL, data=HELD, training=recipe)
    return place


def test_some_are_held_out_and_kept(run, corpus):
    report = json.loads((run / "data" / "cleaning.json").read_text())
    assert (report["read"], report["kept"], report["held_out"]) == (202, 201, 10)
    assert report["skipped"] == {"untranslated": 1}
    assert report["dropped"] == {"drop_copies": 1}
    held = list(read_pairs(run / "data" / "valid.jsonl"))
    assert len(held) == 10 and {*held} <= {*read_pairs(*corpus[:2])}
    sizes = [len(TokenStore.open(run / "data" / name)) for name in ("train", "valid")]
    assert sizes == [191, 10]
    opened = Run.open(run)
    assert opened.config.languages == ["en", "de"]
    card = (run / "README.md").read_text("utf-8")
    assert "kept 201 of 202 pairs; dropped 1: 1 drop_copies; no pairs: 1 untr" in card
    assert "val_nats" in opened.log[0]


def test_a_resumed_run_and_an_evaluation_use_the_same(run):
    held = (run / "data" / "valid.jsonl").read_bytes()
    train(run, resume=True, training=training(max_updates=3))
    assert (run / "data" / "valid.jsonl").read_bytes() == held
    result = evaluate(run)
    assert len(result.translations) == 10
    (test,) = Run.open(run).scores
    assert test.startswith("valid.jsonl, 10 sentences")
    (run / "data" / "valid.jsonl").write_text('{"source": "a", "target": "b"}\n')
    with pytest.raises(ValueError, match="valid.jsonl' is not the file that was wri"):
        evaluate(run)


def test_what_another_training_held_out_is_learnt(corpus, tmp_path):
    pairs = clean(corpus)
    pairs.report.held_out = 10  # by that one
    prepare(tmp_path, pairs, None, RunConfig(MODEL, DATA, training()))
    assert json.loads((tmp_path / CLEANED).read_text())["held_out"] == 0
    assert len(TokenStore.open(tmp_path / "data" / "train")) == 200


def test_bleu_of_what_is_held_out(corpus, tmp_path):
    recipe = training(max_updates=1, monitor="bleu")
    train(
        tmp_path / "run", pairs=clean(corpus), model=MODEL, data=HELD, training=recipe
    )
    assert "val_bleu" in Run.open(tmp_path / "run").log[0]


def test_pairs_and_source_exclude_each_other(corpus, tmp_path):
    with pytest.raises(ValueError, match="pairs must be absent with source; received"):
        train(tmp_path / "run", *corpus[:2], pairs=corpus[0])
