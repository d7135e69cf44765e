"""BPE-dropout: what a seed gives, in every process."""

import hashlib

import pytest
import small

from keras_transformer.text.bpe_dropout import BpeDropout
from keras_transformer.text.special_tokens import UNKNOWN
from keras_transformer.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def lines(corpus):
    return [text for pair in small.clean(corpus) for text in pair]


@pytest.fixture(scope="module")
def tokenizer(lines):
    return Tokenizer.train(lines, vocab_size=400, byte_fallback=True)


def test_without_dropout_it_is_sentencepiece(tokenizer, lines):
    usual = tokenizer.encode(lines)
    assert BpeDropout(tokenizer, 0.0)(usual, seed=1) == usual


def test_without_merges_a_word_is_its_characters(tokenizer):
    (ids,) = BpeDropout(tokenizer, 1.0)(tokenizer.encode(["two men"]), seed=1)
    pieces = [tokenizer.pieces[number] for number in ids]
    assert "".join(pieces) == "\u2581two\u2581men" and set(map(len, pieces)) == {1}


def test_a_seed_says_what_is_left_out(tokenizer, lines):
    usual = tokenizer.encode(lines)
    cut = BpeDropout(tokenizer, 0.1)
    once = cut(usual, seed="1 0")
    assert once == cut(usual, seed="1 0")
    other = cut(usual, seed="1 1")
    assert once != other
    assert tokenizer.decode(once) == tokenizer.decode(other) == lines
    longer = sum(map(len, once)) / sum(map(len, usual))
    assert 1.02 < longer < 2
    # In any process, on any machine.
    digest = hashlib.sha256(repr(once[:9]).encode()).hexdigest()
    assert digest[:16] == "e7236c61dfa7556b"


def test_one_merge_by_hand():
    """With one merge in the vocabulary, a tenth of the words is left in characters."""
    tokenizer = Tokenizer.train(["ab ab ab", "b a"], vocab_size=8)
    assert tokenizer.pieces[4:] == ["\u2581a", "\u2581", "a", "b"]
    usual = tokenizer.encode(["ab"] * 1000)
    found = BpeDropout(tokenizer, 0.1)(usual, seed=1)
    assert {tuple(ids) for ids in found} == {(4, 7), (5, 6, 7)}
    assert 70 < found.count([5, 6, 7]) < 130


def test_what_is_unknown_or_bytes_stays(tokenizer):
    plain = Tokenizer.train(["two men"] * 9, vocab_size=14)
    for own in (plain, tokenizer):
        usual = own.encode(["two \u4e16 men"])
        assert (UNKNOWN in usual[0]) == (own is plain)
        assert BpeDropout(own, 1.0)(usual, seed=1) == usual
