"""Documents as ids, and rows that are full of them."""

import json

import numpy as np
import pytest

from keras_transformer.data.documents import DocumentStore, read_documents
from keras_transformer.data.packed import PackedBatches, WholeDocuments
from keras_transformer.text.tokenizer import Tokenizer

TEXTS = ["a man rides a bike", "", "two girls sit", "a horse", "the man and the horse"]
BEGIN = 2
END = 3


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, vocab_size=30)


def documents_of(batches):
    """The documents in the rows of an epoch, and how many positions are real."""
    rows = {}
    for number in range(len(batches)):
        token_ids, labels, weights = batches[number]
        _, own = batches._plan[number]
        assert weights.sum() == pytest.approx(1.0)
        for row, arrays in zip(own, zip(token_ids, labels, weights)):
            rows[int(row)] = arrays
    read = np.concatenate([rows[n][0] for n in sorted(rows)])
    written = np.concatenate([rows[n][1] for n in sorted(rows)])
    real = np.concatenate([rows[n][2] for n in sorted(rows)]) > 0
    read = read[real]
    written = written[real]
    assert real.sum() == real.argmin() or real.all()  # the end alone is filled up
    ends = np.flatnonzero(written == END) + 1
    found = []
    for part, labels in zip(np.split(read, ends[:-1]), np.split(written, ends[:-1])):
        assert part[0] == BEGIN and labels.tolist() == [*part[1:], END]
        found.append(tuple(part[1:].tolist()))
    return found


def test_every_document_is_there_once_in_each_epoch(tokenizer):
    options = dict(width=5, batch_tokens=15, seed=4)
    batches = PackedBatches.from_texts(TEXTS, tokenizer, **options)
    expected = [tuple(ids) for ids in tokenizer.encode(TEXTS) if ids]
    orders = []
    for epoch in range(3):
        batches.epoch = epoch
        orders.append(documents_of(batches))
        assert sorted(orders[-1]) == sorted(expected)
    assert len({*map(tuple, orders)}) > 1
    plain = PackedBatches.from_texts(TEXTS, tokenizer, shuffle=False, **options)
    assert documents_of(plain) == expected


def test_an_evaluation_cuts_no_document_that_fits_into_a_row(tokenizer):
    texts = [*TEXTS, "a man and a horse and a bike and a man rides a horse"]
    sizes = [len(ids) + 1 for ids in tokenizer.encode(texts) if ids]
    width = sorted(sizes)[-2]
    batches = WholeDocuments.from_texts(
        texts, tokenizer, width=width, batch_tokens=2 * width, shuffle=False
    )
    read, written, weights = map(np.concatenate, zip(*batches))
    assert np.sum(weights > 0) == sum(sizes) > len(batches) * width
    for number in range(len(batches)):
        assert batches[number][2].sum() == pytest.approx(1.0)
    goes_on = (weights[:, 0] > 0) & (read[:, 0] != BEGIN)
    assert goes_on.sum() == (max(sizes) - 1) // width  # the longest alone
    assert np.sum((written == END) & (weights > 0)) == len(sizes)


def test_the_plan_is_a_function_of_seed_and_epoch(tokenizer):
    def arrays(seed, epoch):
        batches = PackedBatches.from_texts(TEXTS, tokenizer, width=5, seed=seed)
        batches.epoch = epoch
        return np.concatenate([batches[n][0] for n in range(len(batches))])

    assert (arrays(1, 2) == arrays(1, 2)).all()
    assert (arrays(1, 2) != arrays(1, 3)).any()
    assert (arrays(1, 2) != arrays(2, 2)).any()


def test_shards_share_each_batch(tokenizer):
    options = dict(width=5, batch_tokens=15)
    whole = PackedBatches.from_texts(TEXTS, tokenizer, **options)
    parts = [
        PackedBatches.from_texts(TEXTS, tokenizer, shard=(process, 2, 1), **options)
        for process in (0, 1)
    ]
    for number in range(len(whole)):
        weights = [part[number][2] for part in parts]
        assert weights[0].shape == weights[1].shape
        assert sum(own.sum() for own in weights) == pytest.approx(1.0)
        rows = [row[0] for row in zip(*(part[number][0] for part in parts))]
        assert (rows[0] == whole[number][0][0]).all()


def test_a_store_in_files_is_that_in_memory(tokenizer, tmp_path):
    for name, texts in (("a.txt", TEXTS[:2]), ("b.txt", TEXTS[2:])):
        (tmp_path / name).write_text("\n".join(texts) + "\n", encoding="utf-8")
    lines = read_documents([tmp_path / "a.txt", tmp_path / "b.txt"])
    store = DocumentStore.build(tmp_path / "store", lines, tokenizer)
    memory = DocumentStore.from_texts(TEXTS, tokenizer)
    assert (store.ids == memory.ids).all() and (store.offsets == memory.offsets).all()
    assert store.report == memory.report and len(store) == 4
    tokens = f"4 documents of {len(memory.ids)} tokens; 1 empty lines left out"
    assert str(store.report) == tokens
    assert store.texts([0, 2], tokenizer) == [TEXTS[0], TEXTS[3]]
    assert DocumentStore.open(tmp_path / "store").lengths.tolist() == [
        len(ids) for ids in tokenizer.encode(TEXTS) if ids
    ]


def test_refusals(tokenizer, tmp_path):
    store = DocumentStore.build(tmp_path / "store", TEXTS, tokenizer)
    with pytest.raises(ValueError, match="folder must not exist yet"):
        DocumentStore.build(tmp_path / "store", TEXTS, tokenizer)
    with pytest.raises(ValueError, match="folder must be a document store; .*nothing"):
        DocumentStore.open(tmp_path / "nothing")
    with pytest.raises(ValueError, match="texts must hold at least one with words"):
        DocumentStore.from_texts(["", " "], tokenizer)
    with pytest.raises(ValueError, match="width must be at least 1; received 0"):
        PackedBatches(store, tokenizer.special, width=0)
    place = tmp_path / "store" / "store.json"
    content = json.loads(place.read_text())
    content["report"]["documents"] += 1
    place.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="folder must be a complete document store"):
        DocumentStore.open(tmp_path / "store")
