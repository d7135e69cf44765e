"""Markup in sentences: symbols for the model, and itself again in translations."""

import dataclasses
import re

import numpy as np
import pytest
from layer_checks import ON_TORCH, SEARCHES, marked, randomise

from keras_transformer import Translator
from keras_transformer.config import DecodingConfig, TransformerConfig
from keras_transformer.models.transformer import Transformer
from keras_transformer.text.glossary import within_a_sentence
from keras_transformer.text.markup import Markup
from keras_transformer.text.tokenizer import Tokenizer

SYMBOLS = re.compile("%[sd]")
WORDS = (
    "a man woman child dog rides sees the red blue bike horse in near of house".split()
)
TEXTS = ["a man %s a dog", "%d of %d", "the red bike", "%(name)s sees %s and %%"]


@pytest.fixture(scope="module")
def translator():
    markup = Markup(("python-format",))
    tokenizer = Tokenizer.train([" ".join(WORDS)] * 3, vocab_size=70, markup=markup)
    config = TransformerConfig(
        source_vocab_size=70,
        target_vocab_size=70,
        encoder_layers=1,
        decoder_layers=1,
        d_model=16,
        d_ff=16,
        num_heads=2,
    )
    return Translator(randomise(Transformer(config)), tokenizer)


def marks_in(markup, text):
    return sorted(match[0] for match in markup._marks.finditer(text))


@pytest.mark.parametrize("search", SEARCHES)
def test_whatever_a_model_says_markup_is_that_of_the_source(translator, search):
    """The weights are random: only the search can hold it."""
    config = DecodingConfig(search=search, n_best=1)
    given = Translator(translator.model, translator.source_tokenizer, config=config)
    for text, found in zip(TEXTS, given.hypotheses(TEXTS), strict=True):
        assert marks_in(given.markup, found[0].text) == marks_in(given.markup, text)
        assert found[0].lost == ()


@marked(ON_TORCH)
def test_terms_of_a_glossary_are_there_beside_markup(translator):
    """In the least room for both."""
    terms = {"man": "red bike", "of": "house in"}
    given = (translator.model, translator.source_tokenizer)
    short = Translator(*given, glossary=terms)
    texts = ["man %s %d", "%d of %d"]
    for text, term in zip(texts, terms.values(), strict=True):
        ids = within_a_sentence(term, short.target_tokenizer)
        short._limit = len(ids) + 2
        ((found,),) = short.hypotheses([text])
        assert len(found.ids) == len(ids) + 2
        assert f" {term} " in f" {SYMBOLS.sub(' ', found.text)} "
        assert marks_in(short.markup, found.text) == marks_in(short.markup, text)


@marked(ON_TORCH)
def test_a_sentence_is_translated_the_same_alone(translator):
    together = translator(TEXTS)
    assert [translator(text) for text in TEXTS] == together


def test_what_does_not_fit_is_said_to_be_lost(translator):
    config = DecodingConfig(extra_length=0)
    short = Translator(translator.model, translator.source_tokenizer, config=config)
    short._limit = 3
    (found,) = short.hypotheses(["%s %d %r %i"])
    assert len(found[0].lost) == 1
    assert len(marks_in(short.markup, found[0].text)) == 3


def test_scores_are_those_of_the_symbols(translator):
    target = "%s man %% sees %(name)s"
    masked, marks = translator.markup.protect(TEXTS[3])
    plain = Tokenizer(translator.source_tokenizer.serialized)
    symbols = translator.markup.symbols_in(target, marks)
    expected = Translator(translator.model, plain).score([masked], [symbols])
    found = translator.score([TEXTS[3]], [target])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@marked(ON_TORCH)
def test_attention_and_search_are_shown_with_symbols(translator):
    found = translator.attention(TEXTS[0])
    assert translator.source_tokenizer.pieces[4] in found.source_tokens
    assert translator.trace(TEXTS[0])


def test_alignments_are_refused(translator):
    with pytest.raises(ValueError, match="the run must have no markup"):
        translator.alignments(["a"], ["b"])
    with pytest.raises(ValueError, match="alignments must be absent with a run whose"):
        list(translator.stream(["a"], alignments=True))


@marked(ON_TORCH)
def test_a_tokenizer_without_markup_copies_nothing(translator):
    plain = Tokenizer.train([" ".join(WORDS)] * 3, vocab_size=70)
    assert plain.markup is None
    found = Translator(translator.model, plain).hypotheses(["a man %s"])
    assert found[0][0].lost == ()
    assert dataclasses.replace(found[0][0], lost=()) == found[0][0]


def test_runs_of_tokens_may_come_twice(translator):
    config = DecodingConfig(no_repeat_ngram=3)
    message = "no_repeat_ngram must be 0 with a glossary, or a run whose markup"
    with pytest.raises(ValueError, match=message):
        Translator(translator.model, translator.source_tokenizer, config=config)("a")
