"""A plan that cannot end well is named, with what to type instead."""

import dataclasses
import re

import pytest
from layer_checks import ON_TORCH

from keras_transformer.runs.run import Run
from keras_transformer.training.advice import (
    FEWEST_PAIRS,
    warn_of_average,
    warn_of_plan,
)

pytestmark = ON_TORCH


def warned(trained, begun=None, **changes):
    """What is said of the plan of a run, with other settings."""
    run = Run.open(trained)
    configs = {"data": run.config.data, "training": run.config.training}
    for name, config in configs.items():
        own = {key: changes[key] for key in changes if hasattr(config, key)}
        configs[name] = dataclasses.replace(config, **own)
    run.config = dataclasses.replace(run.config, **configs)
    with pytest.warns(UserWarning) as found:
        warn_of_plan(run, begun)
    return [str(warning.message) for warning in found]


def test_few_pairs(trained):
    (said,) = warned(trained, warmup_updates=1)
    assert re.match(f"200 pairs are few .* {FEWEST_PAIRS:,} .* --init-from RUN", said)


def test_a_warm_up_that_never_ends(trained):
    (said,) = warned(trained, begun=True, warmup_updates=4000, max_updates=20)
    assert said.startswith(
        "--warmup-updates 4000 is longer than the 20 updates planned"
    )
    assert said.endswith("type --warmup-updates 5 --learning-rate-scale 0.0354")


def test_a_vocabulary_of_rare_tokens(trained):
    *_, said = warned(trained, warmup_updates=1, vocab_size=8000)
    assert said.startswith("--vocab-size 8000 is more than the text supports")
    value = re.search(r"; type --vocab-size (\d+)$", said)[1]
    assert 100 < int(value) < 400


def test_a_moving_average_of_too_few_batches():
    """0.999 ** 500 = 0.606."""
    message = (
        "--ema-momentum 0.999 is too high for 500 batches: 61% of the moving "
        "average, which is saved, are the first weights; train on, or anew with "
        "--ema-momentum 0.99"
    )
    with pytest.warns(UserWarning, match=message):
        warn_of_average(0.999, 500)


@pytest.mark.parametrize("momentum, batches", [(None, 5), (0.999, 3000), (0.5, 9)])
def test_a_moving_average_of_enough_batches(recwarn, momentum, batches):
    warn_of_average(momentum, batches)
    assert not recwarn
