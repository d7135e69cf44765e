import json
import types

import numpy as np
import pytest

from keras_transformer.config import DataConfig
from keras_transformer.data.cleaning import FilterReport
from keras_transformer.data.store import TokenStore
from keras_transformer.text.tokenizer import Tokenizer

SOURCE = ["a man runs", "two dogs", "a dog barks at a man", "a"]
TARGET = ["ein Mann läuft", "zwei Hunde", "ein Hund bellt einen Mann an", "ein"]


def ids_of(store):
    """Source and target ids of each pair."""
    sides = store.padded(np.arange(len(store)), int(store.lengths.max()))
    pairs = zip(*sides, store.lengths)
    return [(one[:n].tolist(), other[:m].tolist()) for one, other, (n, m) in pairs]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(SOURCE + TARGET, vocab_size=40)


def test_filters_count_what_they_drop(tokenizer):
    pairs = {
        "a man": "ein Mann",
        " ": "ein",
        "a dog": "",
        "two dogs": "\u200b\ufeff",
        "x" * 100_001: "ein Hund",
        "a" + " dog" * 40: "ein Hund",
        "a dog barks at a man": "a",
    }
    config = DataConfig(max_length=40)
    store = TokenStore.from_lines([*pairs], [*pairs.values()], tokenizer, config=config)
    assert store.report == FilterReport(kept=1, empty=3, too_long=2, ratio=1)
    assert len(store) == 1


def test_any_two_iterables_are_read_once(tokenizer):
    pairs = dict(zip(SOURCE, TARGET))
    expected = ids_of(TokenStore.from_lines(SOURCE, TARGET, tokenizer))
    for sides in (map(iter, (SOURCE, TARGET)), (pairs, pairs.values())):
        assert ids_of(TokenStore.from_lines(*sides, tokenizer)) == expected
    with pytest.raises(ValueError, match="target_lines must be a list of strings; rec"):
        TokenStore.from_lines(SOURCE, "a man", tokenizer)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_store_on_disk_equals_store_in_memory(tokenizer, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr("keras_transformer.data.store.CHUNK", chunk)
    folder = tmp_path / "deep" / "store"
    built = TokenStore.build(folder, zip(SOURCE, TARGET, strict=True), tokenizer)
    memory = TokenStore.from_lines(SOURCE, TARGET, tokenizer)
    expected = [*zip(tokenizer.encode(SOURCE), tokenizer.encode(TARGET), strict=True)]
    lengths = [[len(source), len(target)] for source, target in expected]
    for store in (built, memory, TokenStore.open(folder)):
        assert store.report == FilterReport(kept=4) and len(store) == 4
        assert ids_of(store) == expected
        assert store.lengths.tolist() == lengths
        rows = np.array([3, 1])
        width = int(store.lengths[rows].max()) + 1
        for side, padded in enumerate(store.padded(rows, width)):
            ids = [expected[i][side] for i in rows]
            assert padded.tolist() == [row + [0] * (width - len(row)) for row in ids]
    size = (folder / "source.ids").stat().st_size
    assert size == 2 * built.lengths[:, 0].sum()  # two bytes each
    # Nothing left aside.
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["store"]


def test_large_vocabularies_take_four_bytes(tokenizer):
    large = types.SimpleNamespace(
        vocab_size=2**16 + 1,
        special=tokenizer.special,
        target_prefix=(),
        encode=lambda lines: [[2**16] for _ in lines],
    )
    config = DataConfig(max_ratio=50.0)
    store = TokenStore.from_lines(SOURCE, TARGET, tokenizer, large, config=config)
    assert ids_of(store)[0] == (tokenizer.encode(SOURCE)[0], [2**16])


def test_nothing_is_left_of_a_failed_build(tokenizer, tmp_path):
    def pairs():
        yield "a", "ein"
        raise ValueError("source and target must have as many lines")

    # Of a build that was killed.
    (tmp_path / ".keras-transformer-12345678.partial" / "new").mkdir(parents=True)
    with pytest.raises(ValueError, match="as many lines"):
        TokenStore.build(tmp_path / "store", pairs(), tokenizer)
    message = (
        "one that passes the filters; received 'kept 0 of 1 pairs; dropped 1: 1 em"
    )
    with pytest.raises(ValueError, match=message):
        TokenStore.build(tmp_path / "store", [("a", "")], tokenizer)
    assert not list(tmp_path.iterdir())


def test_wrong_folders_and_lists(tokenizer, tmp_path):
    folder = tmp_path / "store"
    absent = "folder must be a token store; .*store is not: .*No such file"
    with pytest.raises(ValueError, match=absent):
        TokenStore.open(folder)
    TokenStore.build(folder, [("a", "ein")], tokenizer)
    with pytest.raises(ValueError, match="folder must not exist yet; received"):
        TokenStore.build(folder, [("a", "ein")], tokenizer)
    offsets = (folder / "source.offsets").read_bytes()
    (folder / "source.offsets").write_bytes(offsets[8:] + offsets[8:])
    incomplete = "folder must be a complete token store; received .*store"
    with pytest.raises(ValueError, match=incomplete):
        TokenStore.open(folder)
    (folder / "source.offsets").write_bytes(offsets)
    (folder / "target.ids").write_bytes(bytes(98))
    with pytest.raises(ValueError, match=incomplete):
        TokenStore.open(folder)
    (folder / "store.json").write_text(json.dumps({"dtype": "uint16"}))
    with pytest.raises(ValueError, match="must be a token store"):
        TokenStore.open(folder)
    with pytest.raises(ValueError, match=r"must have as many lines; received \[2, 1\]"):
        TokenStore.from_lines(["a", "a"], ["ein"], tokenizer)
    message = "each text of the pairs must be a string; received 3"
    with pytest.raises(ValueError, match=message):
        TokenStore.from_lines(["a", "a"], ["ein", 3], tokenizer)
