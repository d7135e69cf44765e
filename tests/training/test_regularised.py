"""Options that regularise, in a run: resumed exactly, refused where they cannot be."""

import dataclasses

import numpy as np
import pytest
from layer_checks import ON_TORCH, marked
from small import DATA, MODEL, log, training, write_corpus

from keras_transformer.data.mixture import mix_pairs
from keras_transformer.data.pairs import read_pairs
from keras_transformer.runs.sealed_files import load_arrays
from keras_transformer.training.train import train

OPTIONS = dict(ema_momentum=0.9, bpe_dropout=0.1, r_drop=5.0, word_dropout=0.2)
RECIPE = training(max_updates=None, gradient_accumulation=2, **OPTIONS)

pytestmark = pytest.mark.usefixtures("one_bucket")


def newest(run, kind):
    path = max((run / "checkpoints").glob(f"{kind}-*"))
    return load_arrays(path)[0]


@marked(ON_TORCH)
def test_a_resumed_run_is_the_same_bit_for_bit(tmp_path):
    corpus = write_corpus(tmp_path / "corpus", train=60)
    how = dict(model=MODEL, data=dataclasses.replace(DATA, max_length=80))
    train(tmp_path / "whole", *corpus, training=RECIPE, **how)
    for updates in (3, None):
        limited = dataclasses.replace(RECIPE, max_updates=updates)
        train(tmp_path / "run", *corpus, training=limited, resume=True, **how)
    assert [row["epoch"] for row in log(tmp_path / "run")] == [1, 2]
    for kind in ("batch", "epoch"):
        one = newest(tmp_path / "whole", kind)
        other = newest(tmp_path / "run", kind)
        assert one.keys() == other.keys()
        for name, arrays in one.items():
            for array, same in zip(arrays, other[name], strict=True):
                np.testing.assert_array_equal(array, same)


def test_what_cannot_be_is_refused(corpus, tmp_path):
    data = dataclasses.replace(DATA, tokenizer="unigram")
    message = "bpe_dropout must be 0 unless the tokenizer is BPE of our own"
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", *corpus, model=MODEL, data=data, training=RECIPE)
    data = dataclasses.replace(DATA, markup="printf")
    message = "word_dropout must be 0 with markup, whose symbols are copied; received"
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", *corpus, model=MODEL, data=data, training=RECIPE)
    still = dataclasses.replace(MODEL, dropout=0.0)
    message = "r_drop must be 0 without dropout, which makes two passes differ; rec"
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", *corpus, model=still, data=DATA, training=RECIPE)
    assert not list(tmp_path.iterdir())


def test_a_mixture_holds_nothing_out(corpus, tmp_path):
    pairs = mix_pairs([read_pairs(*corpus[:2])], tags=["<BT>"])
    message = "valid_pairs must be given with weights or tags: a mixture holds none"
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", pairs=pairs)
    assert not list(tmp_path.iterdir())
