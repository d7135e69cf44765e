"""Runs that a limit ends within an epoch."""

import dataclasses

import numpy as np
import pytest
from layer_checks import ON_TORCH
from small import DATA, MODEL, log, training

from keras_transformer.training.checkpoints import KeepBest
from keras_transformer.training.train import train

pytestmark = [*ON_TORCH, pytest.mark.usefixtures("one_bucket")]
# Four updates are an epoch.
SETTINGS = dict(model=MODEL, data=dataclasses.replace(DATA, batch_tokens=3200))


def assert_same(one, other):
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_kill_before_the_last_epoch_is_scored(tmp_path, corpus, monkeypatch):
    recipe = training(checkpoint_minutes=0.0)

    def killed(*given):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(KeepBest, "on_epoch_end", killed)
        with pytest.raises(KeyboardInterrupt):
            train(run, *corpus, **SETTINGS, training=recipe)
    found = train(run, resume=True)
    whole = tmp_path / "whole"
    assert_same(found, train(whole, *corpus, **SETTINGS, training=recipe))
    scores = [[row["val_nats"] for row in log(path)] for path in (run, whole)]
    assert len(scores[0]) == 1 and scores[0] == scores[1]


def test_a_finished_run_stays_as_it_is(tmp_path, corpus):
    run = tmp_path / "run"
    recipe = training(epochs=3, max_updates=10)
    found = train(run, *corpus[:2], **SETTINGS, training=recipe)
    lines = log(run)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert_same(found, train(run, resume=True))
    assert log(run) == lines
