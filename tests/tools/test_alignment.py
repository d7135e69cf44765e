"""The known alignments of the bundled corpus, and the rate of error by them."""

import dataclasses
import gzip
import sys
from pathlib import Path

import keras
import pytest
import small

from benchmarks.alignments import by_rule, error_rate, with_punctuation
from keras_transformer import Tokenizer, Transformer, Translator
from keras_transformer.data.examples import captions

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from captions.alignment import sure_links  # noqa: E402


@pytest.mark.parametrize(
    "source, target, expected",
    [
        (
            "A hungry monkey is playing.",
            "Ein hungriger Affe spielt.",
            "monkey-Affe hungry-hungriger playing-spielt",
        ),
        ("The cup is red.", "Die Tasse ist rot.", "cup-Tasse red-rot"),
        (
            "Two girls are listening to the farmer.",
            "Zwei Mädchen hören dem Bauern zu.",
            "Two-Zwei girls-Mädchen listening-hören farmer-Bauern",
        ),
        (
            "Some boys want to open the door.",
            "Einige Jungen möchten die Tür öffnen.",
            "Some-Einige boys-Jungen open-öffnen door-Tür",
        ),
        # "young" and "boy" may both be the first or the last of these: no doubt is
        # allowed.
        (
            "The bike is smaller than the bike.",
            "Das Fahrrad ist kleiner als das Fahrrad.",
            "smaller-kleiner",
        ),
    ],
)
def test_sure_links_by_hand(source, target, expected):
    words = [[word.strip(".") for word in text.split()] for text in (source, target)]
    assert {
        f"{words[0][i]}-{words[1][j]}" for i, j in sure_links(source, target)
    } == set(expected.split())


def test_half_of_the_words_of_the_corpus_are_known():
    sources, targets = (
        gzip.open(path, "rt", encoding="utf-8").read().splitlines()
        for path in captions("test")
    )
    known = [sure_links(*pair) for pair in zip(sources, targets)]
    assert sum(map(len, known)) > 0.45 * sum(len(target.split()) for target in targets)
    assert all(
        len({i for i, _ in links}) == len({j for _, j in links}) == len(links)
        for links in known
    )


def test_error_rate_by_hand():
    known = [{(0, 0), (2, 1)}, {(1, 1)}]
    # Right; wrong; of no known word; right; wrong.
    found = [[(0, 0), (1, 1), (3, 2)], [(1, 1), (1, 2)]]
    assert error_rate(found, known) == 1 - 2 * 2 / (4 + 3)


def test_punctuation_belongs_to_the_word_before():
    assert with_punctuation([0, 1, None, 2, 2, None, None]) == [0, 1, 1, 2, 2, 2, 2]


def test_one_of_the_rules_is_that_of_the_translator():
    sources, targets = (
        gzip.open(path, "rt", encoding="utf-8").read().splitlines()[:20]
        for path in captions("test")
    )
    keras.utils.set_random_seed(1)
    tokenizer = Tokenizer.train(sources + targets, vocab_size=100)
    sizes = dict(
        source_vocab_size=tokenizer.vocab_size,
        target_vocab_size=tokenizer.vocab_size,
        decoder_layers=3,
    )
    translator = Translator(
        Transformer(dataclasses.replace(small.MODEL, **sizes)), tokenizer
    )
    found = [by_rule(translator, *pair) for pair in zip(sources, targets)]
    expected = translator.alignments(sources, targets)
    assert [
        rule for rule in found[0] if [links[rule] for links in found] == expected
    ] == [(False, 0, 1)]
