"""BPE-dropout: each epoch's tokens are a function of seed and epoch."""

import numpy as np
import pytest
import small

from keras_transformer.data.batches import TokenBatches
from keras_transformer.data.sampled import SampledBatches, cut_anew, filled_up
from keras_transformer.data.store import TokenStore
from keras_transformer.text.special_tokens import UNKNOWN
from keras_transformer.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def pairs(corpus):
    return list(small.clean(corpus))


@pytest.fixture(scope="module")
def tokenizer(pairs):
    return Tokenizer.train([text for pair in pairs for text in pair], vocab_size=200)


@pytest.fixture(scope="module")
def store(pairs, tokenizer):
    return TokenStore.from_lines(*zip(*pairs), tokenizer)


def batches_of(store, tokenizer, bpe_dropout=0.1, max_length=128, **options):
    cut = ((tokenizer, tokenizer), bpe_dropout, max_length)
    return SampledBatches(store, *cut, batch_tokens=400, seed=7, **options)


def test_an_epoch_is_a_function_of_seed_and_epoch(store, tokenizer, pairs):
    """However it is reached, each pair is in it once, as the text that it was."""
    batches = batches_of(store, tokenizer)
    count = len(batches)
    seen = []
    for epoch in range(3):
        batches.epoch = epoch
        assert len(batches) == count
        items = [batches[number] for number in range(count)]
        texts = []
        for inputs, labels, weights in items:
            real = weights.any(axis=1)
            sides = [tokenizer.decode(ids[real]) for ids in (inputs["source_ids"],)]
            sides.append(tokenizer.decode(labels[real]))
            texts += zip(*sides)
            assert weights.sum() == pytest.approx(1.0, rel=1e-5)
            assert weights[:, 0].any()
        assert sorted(texts) == sorted(pairs)
        seen.append(np.concatenate([labels.ravel() for _, labels, _ in items]))
    assert not np.array_equal(seen[0], seen[1])
    again = batches_of(store, tokenizer)
    again.epoch = 2
    assert len(again) == count
    found = np.concatenate([again[n][1].ravel() for n in range(count)])
    np.testing.assert_array_equal(found, seen[2])


def test_shares_are_the_batch(store, tokenizer):
    whole = batches_of(store, tokenizer)
    parts = [batches_of(store, tokenizer, shard=(n, 2, 1)) for n in (0, 1)]
    for number in range(len(whole)):
        rows = {row.tobytes() for row in whole[number][1] if row.any()}
        shared = [part[number][1] for part in parts]
        assert rows == {row.tobytes() for part in shared for row in part if row.any()}


def test_what_would_be_too_long_or_is_unknown_keeps_its_tokens(tokenizer):
    lines = ["a man in a blue shirt is riding", "two \u4e16 men", "two men"]
    store = TokenStore.from_lines(lines, lines, tokenizer)
    usual = [ids.tolist() for ids in store.sentences(range(3))[0]]
    assert UNKNOWN in usual[1] and UNKNOWN not in usual[0]
    longest = len(usual[0]) + 1  # with the end
    batches = batches_of(store, tokenizer, bpe_dropout=0.99, max_length=longest)
    cut = [ids.tolist() for ids in cut_anew(batches, [7, 5]).sentences(range(3))[0]]
    assert cut[:2] == usual[:2]
    assert len(cut[2]) == len("_two_men") > len(usual[2])


def test_an_epoch_that_needs_more_batches_takes_the_usual_tokens(store, tokenizer):
    batches = batches_of(store, tokenizer)
    usual = int(store.lengths.sum())
    batches.epoch = 1
    assert batches.store.lengths.sum() > usual
    fewest = len(TokenBatches(store, batch_tokens=400))
    batches._count = fewest
    batches.epoch = 2
    assert int(batches.store.lengths.sum()) == usual
    assert len(batches) == fewest


def test_the_fullest_batches_are_halved():
    plan = [(4, np.arange(5)), (8, np.arange(8)), (4, np.arange(2))]
    found = [(width, rows.tolist()) for width, rows in filled_up(plan, 5)]
    assert found == [
        (4, [0, 1]),
        (8, [0, 1, 2, 3]),
        (4, [0, 1]),
        (8, [4, 5, 6, 7]),
        (4, [2, 3, 4]),
    ]
