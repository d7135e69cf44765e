import json

import numpy as np
import pytest

from keras_transformer.config import DataConfig
from keras_transformer.data.corpus import FilterReport
from keras_transformer.data.store import TokenStore
from keras_transformer.text.tokenizer import Tokenizer

SOURCE = ["a man runs", "two dogs", "a dog barks at a man", "a"]
TARGET = ["ein Mann läuft", "zwei Hunde", "ein Hund bellt einen Mann an", "ein"]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(SOURCE + TARGET, vocab_size=40)


def test_filters_count_what_they_drop(tokenizer):
    source = [
        "a man",
        " ",
        "a dog",
        "x" * 100_001,
        "a" + " dog" * 40,
        "a dog barks at a man",
    ]
    target = ["ein Mann", "ein", "", "ein Hund", "ein Hund", "a"]
    store, report = TokenStore.from_lines(
        source, target, tokenizer, config=DataConfig(max_length=40)
    )
    assert report == store.report == FilterReport(kept=1, empty=2, too_long=2, ratio=1)
    assert len(store) == 1


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_store_on_disk_equals_store_in_memory(tokenizer, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("keras_transformer.data.store.CHUNK", chunk)
    built, report = TokenStore.build(
        tmp_path / "deep" / "store", zip(SOURCE, TARGET, strict=True), tokenizer
    )
    memory, _ = TokenStore.from_lines(SOURCE, TARGET, tokenizer)
    assert report == FilterReport(kept=4)
    expected = list(
        zip(tokenizer.encode(SOURCE), tokenizer.encode(TARGET), strict=True)
    )
    for store in (built, memory, TokenStore.open(tmp_path / "deep" / "store")):
        assert store.report == report and len(store) == 4
        pairs = [store.pair(i) for i in range(4)]
        assert [
            (source.tolist(), target.tolist()) for source, target in pairs
        ] == expected
        assert pairs[0][0].dtype == np.uint16
        assert store.lengths.tolist() == [
            [len(source), len(target)] for source, target in expected
        ]
        rows = np.array([3, 1])
        width = int(store.lengths[rows].max()) + 1
        for side, padded in enumerate(store.padded(rows, width)):
            assert padded.tolist() == [
                expected[i][side] + [0] * (width - len(expected[i][side])) for i in rows
            ]
    # Nothing left aside.
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["store"]


def test_large_vocabularies_take_four_bytes(tokenizer):
    class Large:
        vocab_size, special, source_prefix, source_suffix, target_prefix = (
            2**16 + 1,
            tokenizer.special,
            (),
            (3,),
            (),
        )

        def encode(self, lines):
            return [[2**16] for _ in lines]

    store, _ = TokenStore.from_lines(
        SOURCE, TARGET, tokenizer, Large(), DataConfig(max_ratio=50.0)
    )
    assert store.pair(0)[1].tolist() == [2**16]
    assert store.pair(0)[0].tolist() == tokenizer.encode(SOURCE)[0]


def test_nothing_is_left_of_a_failed_build(tokenizer, tmp_path):
    def pairs():
        yield "a", "ein"
        raise ValueError("source and target must have as many lines")

    (tmp_path / ".store.99999999.partial").mkdir()  # of a build that was killed
    with pytest.raises(ValueError, match="as many lines"):
        TokenStore.build(tmp_path / "store", pairs(), tokenizer)
    with pytest.raises(
        ValueError,
        match="at least one that passes the filters; kept 0 of 1 pairs; dropped 1: 1 empty",
    ):
        TokenStore.build(tmp_path / "store", [("a", "")], tokenizer)
    assert not list(tmp_path.iterdir())


def test_wrong_folders_and_lists(tokenizer, tmp_path):
    with pytest.raises(
        ValueError, match="folder must be a token store; .*store is not: .*No such file"
    ):
        TokenStore.open(tmp_path / "store")
    TokenStore.build(tmp_path / "store", [("a", "ein")], tokenizer)
    with pytest.raises(ValueError, match="folder must not exist yet; received"):
        TokenStore.build(tmp_path / "store", [("a", "ein")], tokenizer)
    (tmp_path / "store" / "target.ids").write_bytes(bytes(98))
    with pytest.raises(
        ValueError, match="complete token store; .* has files of the wrong size"
    ):
        TokenStore.open(tmp_path / "store")
    (tmp_path / "store" / "store.json").write_text(json.dumps({"dtype": "uint16"}))
    with pytest.raises(ValueError, match="must be a token store"):
        TokenStore.open(tmp_path / "store")
    with pytest.raises(ValueError, match="must be of equal length; received 2 and 1"):
        TokenStore.from_lines(["a", "a"], ["ein"], tokenizer)
