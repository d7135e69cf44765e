import types

import keras
import numpy as np
import pytest
from data.test_store import ids_of

from keras_transformer.config import DataConfig
from keras_transformer.data.batches import TokenBatches, batch_plan
from keras_transformer.data.cleaning import FilterReport
from keras_transformer.data.store import TokenStore
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.special_tokens import (
    BEGIN,
    END,
    NO_TOKEN,
    PAD,
    UNKNOWN,
    SpecialTokens,
)
from keras_transformer.text.tokenizer import Tokenizer


def store_of(count, longest=50, seed=5):
    """A store of random ids; the first source id of each pair is its number + 10."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest, (count, 2))
    arrays = []
    for side in lengths.T:
        arrays.append(random.integers(4, 10, side.sum()).astype(np.uint16))
        arrays.append(np.concatenate([[0], np.cumsum(side)]))
    arrays[0][arrays[1][:-1]] = np.arange(count) + 10
    return TokenStore(arrays, FilterReport(kept=count))


def two_pairs():
    arrays = ([7, 8, 9, 5], [0, 3, 4], [6, 5, 5], [0, 1, 3])
    return TokenStore(arrays, FilterReport(kept=2))


def test_a_batch_by_hand():
    batches = TokenBatches(two_pairs(), batch_tokens=12, shuffle=False)
    inputs, labels, weights = batches[0]
    assert len(batches) == 1
    order = [0, 1] if inputs["source_ids"][0, 0] == 7 else [1, 0]
    rows = np.array([*order, 2])
    for found, expected in (
        (inputs["source_ids"], [[7, 8, 9, END], [5, END, 0, 0], [END, 0, 0, 0]]),
        (inputs["target_ids"], [[BEGIN, 6, 0, 0], [BEGIN, 5, 5, 0], [BEGIN, 0, 0, 0]]),
        (labels, [[6, END, 0, 0], [5, 5, END, 0], [0, 0, 0, 0]]),
    ):
        assert found.tolist() == np.array(expected)[rows].tolist()
        assert found.dtype == np.int32
    real = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]])[rows]
    np.testing.assert_allclose(weights, real / 5, rtol=1e-7)
    assert weights.dtype == np.float32


def test_a_batch_in_another_sentence_format():
    """Languages around the text, ids of an imported model, begin token = end token."""
    layout = SentenceFormat(
        SpecialTokens(pad=1, begin=2, end=2),
        source_prefix=(30,),
        source_suffix=(2, 31),
        target_prefix=(40,),
    )
    batches = TokenBatches(
        two_pairs(), batch_tokens=16, shuffle=False, sentence_format=layout
    )
    inputs, labels, weights = batches[0]
    first = int(inputs["source_ids"][0, 1] == 7)
    for row, source, target in ((1 - first, [7, 8, 9], [6]), (first, [5], [5, 5])):
        assert strip(inputs["source_ids"][row]) == layout.source(source)
        assert strip(labels[row]) == layout.labels(target)
        expected = layout.target(layout.labels(target))
        assert strip(inputs["target_ids"][row]) == expected
        np.testing.assert_allclose(weights[row], (labels[row] != 1) / 7)
    assert (inputs["source_ids"][2:, 0] == 2).all() and not weights[2:].any()


def strip(row):
    return [int(number) for number in row if number != 1]


def test_the_sentence_format_counts_where_pairs_are_dropped(tokenizer):
    around = types.SimpleNamespace(
        vocab_size=tokenizer.vocab_size,
        encode=tokenizer.encode,
        special=tokenizer.special,
        source_prefix=(5,),
        source_suffix=(3,),
        target_prefix=(),
        markup=None,
    )
    sources = ["ab", "ab ba ab ba"]
    longest = len(tokenizer.encode(sources[1:])[0]) + 1
    config = DataConfig(max_length=longest, max_ratio=9.0)
    for side, kept in ((tokenizer, 2), (around, 1)):
        batches = TokenBatches.from_lines(sources, ["ba", "ab"], side, config=config)
        assert len(batches.store) == kept


@pytest.fixture
def tokenizer():
    return Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("accumulation", [1, 3])
def test_an_epoch_holds_each_pair_once(shuffle, accumulation):
    store = store_of(211)
    pairs = ids_of(store)
    batches = TokenBatches(
        store, 300, seed=1, shuffle=shuffle, accumulation=accumulation
    )
    for epoch in range(3):
        assert batches.epoch == (epoch if shuffle else 0)
        seen = []
        totals = []
        shapes = set()
        for inputs, labels, weights in (batches[i] for i in range(len(batches))):
            source = inputs["source_ids"]
            target = inputs["target_ids"]
            assert source.shape == target.shape == labels.shape == weights.shape
            assert ((weights > 0) == (labels != PAD)).all()
            assert (source != PAD).any(axis=1).all() and (target[:, 0] == BEGIN).all()
            real = weights.sum(axis=1) > 0
            assert (source[~real] == [END] + [PAD] * (source.shape[1] - 1)).all()
            seen += source[real, 0].tolist()
            for row in np.flatnonzero(real):
                ids = pairs[source[row, 0] - 10]
                assert source[row][source[row] != PAD].tolist() == [*ids[0], END]
                assert target[row][target[row] != PAD].tolist() == [BEGIN, *ids[1]]
                assert labels[row][labels[row] != PAD].tolist() == [*ids[1], END]
            totals.append(weights.sum())
            shapes.add(labels.shape)
        assert sorted(seen) == list(range(10, 221))
        assert min(totals) > 0
        update = np.arange(len(totals)) // accumulation
        np.testing.assert_allclose(
            np.bincount(update, totals), np.bincount(update), rtol=1e-5
        )
        assert len(shapes) <= 11
        assert all(rows * width <= 300 for rows, width in shapes)
        batches.on_epoch_end()


@pytest.mark.parametrize("processes, devices", [(2, 1), (1, 8), (3, 2), (16, 1)])
def test_shares_are_the_batch(processes, devices):
    store = store_of(211)
    whole = TokenBatches(store, 300, seed=1)
    shares = [
        TokenBatches(store, 300, seed=1, shard=(process, processes, devices))
        for process in range(processes)
    ]
    for number in range(len(whole)):
        inputs, _, weights = whole[number]
        real = (weights > 0).any(axis=1)
        others = [batches[number] for batches in shares]
        (shape,) = {labels.shape for _, labels, _ in others}
        assert shape[0] % devices == 0
        for name in ("source_ids", "target_ids"):
            found = []
            for own_inputs, _, own_weights in others:
                found += own_inputs[name][(own_weights > 0).any(axis=1)].tolist()
            assert sorted(found) == sorted(inputs[name][real].tolist())
        total = sum(own_weights.sum(dtype="float64") for _, _, own_weights in others)
        assert abs(total - 1) < 1e-6
    # See `batch_plan`: Keras takes what the first two have in common for the rest.
    for batches in shares:
        rows = [len(batches[number][1]) for number in range(len(batches))]
        assert rows[0] != rows[1] or len({*rows}) == 1


def test_each_row_twice():
    """Its weight is shared, and each device has both."""
    once = TokenBatches(store_of(40), batch_tokens=200, shard=(1, 2, 3))
    twice = TokenBatches(store_of(40), batch_tokens=200, shard=(1, 2, 3), passes=2)
    assert len(once) == len(twice)
    for number in range(len(once)):
        inputs, labels, weights = once[number]
        both, repeated, shared = twice[number]
        for name, array in inputs.items():
            np.testing.assert_array_equal(both[name], np.repeat(array, 2, axis=0))
        np.testing.assert_array_equal(repeated, np.repeat(labels, 2, axis=0))
        np.testing.assert_allclose(shared, np.repeat(weights, 2, axis=0) / 2)
        assert len(repeated) % 6 == 0


def test_words_are_dropped_by_seed_epoch_and_batch():
    """About a tenth of the tokens; never a label, nor what stands around a text."""
    layout = SentenceFormat(source_prefix=(7,), target_prefix=(8,))
    how = dict(batch_tokens=2000, sentence_format=layout)
    plain = TokenBatches(store_of(900), **how)
    noised = TokenBatches(store_of(900), word_dropout=0.1, **how)
    parts = [
        TokenBatches(store_of(900), word_dropout=0.1, shard=(n, 2, 1), **how)
        for n in (0, 1)
    ]
    around = (PAD, BEGIN, END, 7, 8)
    dropped = 0
    total = 0
    for number in range(len(plain)):
        inputs, labels, weights = plain[number]
        found, same, equal = noised[number]
        np.testing.assert_array_equal(same, labels)
        np.testing.assert_array_equal(equal, weights)
        for name, ids in inputs.items():
            is_dropped = found[name] != ids
            assert (found[name][is_dropped] == UNKNOWN).all()
            assert not np.isin(ids[is_dropped], around).any()
            dropped += is_dropped.sum()
            total += (~np.isin(ids, around)).sum()
            own = {row.tobytes() for part in parts for row in part[number][0][name]}
            assert {row.tobytes() for row in found[name]} == own
    assert 0.09 < dropped / total < 0.11
    sources = [noised[0][0]["source_ids"] for _ in range(2)]
    np.testing.assert_array_equal(*sources)
    first = found["source_ids"]
    second = found["target_ids"]
    assert not np.array_equal(first == UNKNOWN, second == UNKNOWN)


def test_an_unknown_token_is_needed_to_drop_words():
    layout = SentenceFormat(SpecialTokens(unknown=NO_TOKEN))
    message = "word_dropout must be 0 with a tokenizer that has no unknown token; rec"
    with pytest.raises(ValueError, match=message):
        TokenBatches(two_pairs(), sentence_format=layout, word_dropout=0.1)


def test_accumulated_batches_share_their_normaliser():
    batches = TokenBatches(store_of(60), 200, accumulation=5)
    weights = [batches[i][2].max() for i in range(len(batches))]
    tokens = [(batches[i][2] > 0).sum() for i in range(len(batches))]
    assert len(batches) == 12  # the last update has two
    for first in (0, 5, 10):
        own = tokens[first : first + 5]
        expected = pytest.approx(len(own) / sum(own))
        assert weights[first : first + 5] == [expected] * len(own)


def test_no_batch_is_empty_when_an_update_takes_more_than_an_epoch():
    plain = TokenBatches(store_of(60), 200)
    batches = TokenBatches(store_of(60), 200, accumulation=1000)
    assert len(batches) == len(plain)
    assert sum(batches[i][2].sum() for i in range(len(batches))) == pytest.approx(
        len(batches)
    )


def test_the_plan_is_a_function_of_seed_and_epoch():
    lengths = store_of(150).lengths

    def plan(*args, **kwargs):
        return [
            (edge, rows.tolist())
            for edge, rows in batch_plan(lengths, 200, *args, **kwargs)
        ]

    assert plan(1, 2) == plan(1, 2)
    assert plan(1, 2) != plan(1, 3) and plan(1, 2) != plan(2, 2)
    assert sorted(edge for edge, _ in plan(1, 2)) == sorted(
        edge for edge, _ in plan(7, 9)
    )
    assert plan(1, 2, shuffle=False) == plan(5, 6, shuffle=False)
    walked = TokenBatches(store_of(150), 200, seed=1)
    jumped = TokenBatches(store_of(150), 200, seed=1)
    for _ in range(2):
        walked[len(walked) - 1]
        walked.on_epoch_end()
    walked.on_epoch_end()  # of an epoch that was not read
    jumped.epoch = 2
    np.testing.assert_array_equal(walked[0][1], jumped[0][1])


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_first_two_batches_differ_in_width(shuffle):
    store = store_of(150)
    for epoch in range(20):
        plan = batch_plan(store.lengths + 1, 200, 1, epoch, shuffle)
        assert plan[0][0] != plan[1][0]


def test_fit_sees_each_plan_as_it_is():
    class Recorded(TokenBatches):
        seen = ()

        def __getitem__(self, index):
            self.seen = (*self.seen, (self.epoch, index))
            return super().__getitem__(index)

    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("source_ids", "target_ids")
    }
    hidden = keras.layers.Embedding(64, 3)(
        inputs["source_ids"]
    ) + keras.layers.Embedding(64, 3)(inputs["target_ids"])
    model = keras.Model(inputs, keras.layers.Dense(64)(hidden))
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(True, reduction="sum"),
        optimizer="sgd",
    )
    batches = Recorded(store_of(40, longest=13), 100, accumulation=2)
    history = model.fit(batches, epochs=2, shuffle=False, verbose=0)
    model.evaluate(
        TokenBatches(store_of(40, longest=13), 100, shuffle=False), verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()
    every = {(epoch, index) for epoch in range(2) for index in range(len(batches))}
    assert set(batches.seen) == every and batches.epoch == 2

    # As a resumed run does; TensorFlow looks at the first two batches before the first
    # epoch.
    batches.seen = ()
    resume = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(batches, "epoch", epoch)
    )
    model.fit(
        batches, initial_epoch=3, epochs=5, shuffle=False, verbose=0, callbacks=[resume]
    )
    assert (
        set(batches.seen) - {(2, 0), (2, 1)}
        == {(epoch + 3, index) for epoch, index in every}
        and batches.epoch == 5
    )


def test_batches_from_lines():
    lines = ["a man", "a dog barks", "", "dogs bark at men"]
    tokenizer = Tokenizer.train(lines, vocab_size=24)
    batches = TokenBatches.from_lines(
        lines, lines[::-1], tokenizer, batch_tokens=64, shuffle=False
    )
    assert batches.store.report == FilterReport(kept=2, empty=2)
    assert sorted(tokenizer.decode(batches[0][1][:2])) == sorted(
        ["a man", "dogs bark at men"]
    )


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("batch_tokens", 0, "an integer of at least 1; received 0"),
        ("batch_tokens", 2.5, "an integer of at least 1; received 2.5"),
        ("batch_tokens", True, "an integer of at least 1; received True"),
        ("accumulation", 0, "an integer of at least 1; received 0"),
        ("seed", -1, "an integer of at least 0; received -1"),
        ("word_dropout", 2.0, "between 0 and 1; received 2.0"),
        ("shard", (2, 2, 1), "a process of processes, and devices; received"),
    ],
)
def test_bad_arguments(name, value, message):
    with pytest.raises(ValueError, match=f"{name} must (be|lie) {message}"):
        TokenBatches(store_of(3), **{name: value})


def test_bad_epoch():
    message = "epoch must be an integer of at least 0; received -1"
    with pytest.raises(ValueError, match=message):
        TokenBatches(store_of(3)).epoch = -1
