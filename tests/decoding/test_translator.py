import dataclasses
import functools
import warnings

import keras
import numpy as np
import pytest
from layer_checks import ON_TORCH, SEARCHES, marked, some_slow

from keras_transformer.config import DecodingConfig, TransformerConfig
from keras_transformer.decoding.base_translator import Hypothesis
from keras_transformer.decoding.translator import Translator
from keras_transformer.models.transformer import Transformer
from keras_transformer.text.special_tokens import END
from keras_transformer.text.tokenizer import Tokenizer

CONFIG = DecodingConfig(beam=3, extra_length=4, batch_size=64, max_source_length=40)
GREEDY = dict(search="greedy")


@pytest.fixture(scope="module")
def make(model, tokenizer):
    """`make(**changes)`: a translator whose configuration has those changes."""

    @functools.cache  # those of one configuration share what is compiled
    def make(**changes):
        config = dataclasses.replace(CONFIG, **changes)
        return Translator(model, tokenizer, config=config)

    return make


@pytest.fixture(scope="module")
def translator(make):
    return make()


def same(some, others):
    for one, other in zip(some, others, strict=True):
        assert [found.ids for found in one] == [found.ids for found in other]
        scores = [found.score for found in other]
        np.testing.assert_allclose([found.score for found in one], scores, atol=1e-4)


@pytest.mark.parametrize("search", SEARCHES)
def test_translation_is_the_same_alone_and_in_batches_of_7_and_64(
    make, sentences, search
):
    translator = make(search=search, extra_length=2)
    texts = sentences(24, seed=1, longest=5)
    together = translator.hypotheses(texts)
    assert len({best.ids for best, *_ in together}) > len(texts) / 2
    assert any(best.ids[-1] == END for best, *_ in together)
    sevens = make(search=search, extra_length=2, batch_size=7)
    same(sevens.hypotheses(texts), together)
    same([translator.hypotheses([text])[0] for text in texts], together)


@marked(ON_TORCH)
def test_call_takes_one_sentence_or_many_in_any_order(translator, sentences):
    texts = sentences(9, seed=2)
    translations = translator(texts)
    assert translations[::-1] == translator(texts[::-1])
    assert translator(texts[4]) == translations[4]
    assert translator([]) == []


def test_score_is_that_of_the_search_without_a_cache(make, tokenizer, sentences):
    translator = make(length_penalty=0.0, n_best=3)
    texts = sentences(20, seed=3)
    # Decoded text may be tokenised otherwise, or may have lost its end at the limit:
    # such cannot be compared.
    pairs = [
        (text, found)
        for text, hypotheses in zip(texts, translator.hypotheses(texts), strict=True)
        for found in hypotheses
        if (*tokenizer.encode([found.text])[0], END) == found.ids
    ]
    assert len(pairs) >= 3
    sources = [text for text, _ in pairs]
    targets = [found.text for _, found in pairs]
    expected = [found.score for _, found in pairs]
    scores = translator.score(sources, targets)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    alone = translator.score(sources[:1], targets[:1])
    np.testing.assert_allclose(alone, scores[:1], atol=1e-4)
    of_tokens = translator.score(sources, targets, token_scores=True)
    assert [len(own) for own in of_tokens] == [len(found.ids) for _, found in pairs]
    np.testing.assert_allclose([sum(own) for own in of_tokens], scores, atol=1e-4)


@marked(ON_TORCH)
@pytest.mark.parametrize("search", ["beam", "sampling"])
def test_n_best_is_sorted_and_different(make, sentences, search):
    for hypotheses in make(n_best=3, search=search).hypotheses(sentences(5)):
        assert len({found.ids for found in hypotheses}) == 3
        scores = [found.score for found in hypotheses]
        assert scores == sorted(scores, reverse=True)


@marked(ON_TORCH)
def test_seed_changes_the_sample(model, tokenizer, sentences):
    def sample(seed):
        config = dataclasses.replace(CONFIG, search="sampling", seed=seed)
        return Translator(model, tokenizer, config=config)(sentences(5))

    assert sample(1) == sample(1) != sample(2)


def test_prefix_begins_the_translation(translator, sentences):
    prefixes = ["the red house", "", "a"]
    free = translator.hypotheses(sentences(3))
    forced = translator.hypotheses(sentences(3), prefixes)
    for prefix, (best, *_) in zip(prefixes, forced, strict=True):
        assert best.text.startswith(prefix)
    same(forced[1:2], free[1:2])


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "options", some_slow([dict(n_best=3), dict(), GREEDY], [dict(), GREEDY])
)
def test_terms_of_a_glossary_are_in_the_translations(model, tokenizer, options):
    terms = {"dog": "blue house", "red": "bike", "the red": "near", "man": "of"}
    config = dataclasses.replace(CONFIG, **options)
    translator = Translator(model, tokenizer, config=config, glossary=terms)
    texts = ["a dog", "the red bike", "a woman sees", "a red dog sees a man", "dogs"]
    wanted = [["blue house"], ["near"], [], ["bike", "blue house", "of"], []]
    together = translator.hypotheses(texts)
    for own, found in zip(wanted, together, strict=True):
        assert len(found) == config.n_best
        for one in found:
            assert all(f" {term} " in f" {one.text} " for term in own)
    same([translator.hypotheses([text])[0] for text in texts], together)
    plain = Translator(model, tokenizer, config=config)
    without = [number for number, own in enumerate(wanted) if not own]
    same([together[n] for n in without], [plain.hypotheses(texts)[n] for n in without])
    begun = translator.hypotheses(texts, ["the man"] * 5)
    for own, (best, *_) in zip(wanted, begun, strict=True):
        assert best.text.startswith("the man")
        assert all(f" {term} " in f" {best.text} " for term in own)


@marked(ON_TORCH)
@pytest.mark.filterwarnings("ignore:cut to")
def test_a_term_that_is_cut_away_is_not_wanted(model, tokenizer):
    config = dataclasses.replace(CONFIG, max_source_length=4, extra_length=9)
    glossary = {"dog": "blue house", "red": "bike"}
    translator = Translator(model, tokenizer, config=config, glossary=glossary)
    plain = Translator(model, tokenizer, config=config, glossary={"red": "bike"})
    texts = ["a red bike in the house and a dog"]
    same(translator.hypotheses(texts), plain.hypotheses(texts))


@marked(ON_TORCH)
def test_a_prefix_that_leaves_no_room_is_refused(model, tokenizer):
    config = dataclasses.replace(CONFIG, extra_length=1)
    translator = Translator(model, tokenizer, config=config)
    message = "prefixes must fit in the 2 tokens that extra_length .* received 'the red"
    with pytest.raises(ValueError, match=message):
        translator.hypotheses(["a a", "a"], prefixes=["", "the red house is a"])


@marked(ON_TORCH)
def test_a_prefix_that_the_vocabulary_cannot_spell_is_refused(translator):
    message = "prefixes must be spelled by the vocabulary .*; received 'the \u706b'"
    with pytest.raises(ValueError, match=message):
        translator.hypotheses(["a man"], prefixes=["the \u706b"])


def test_a_glossary_is_refused_where_it_cannot_be_obeyed(model, tokenizer):
    def refused(message, **options):
        config = dataclasses.replace(CONFIG, **options)
        with pytest.raises(ValueError, match=message):
            own = dict(config=config, glossary={"a": "big blue house"})
            translator = Translator(model, tokenizer, **own)
            (translator.trace if config.extra_length else translator)("a")

    refused("glossary must be absent with search='sampling'", search="sampling")
    refused("the terms of glossary must fit in the 2 tokens that", extra_length=0)
    refused("glossary must be absent for a trace", extra_length=9)


@marked(ON_TORCH)
def test_a_target_prefix_begins_every_translation_and_no_score(make, sentences):
    class Prefixed(Tokenizer):
        target_prefix = (41,)

    plain = make(length_penalty=0.0)
    tokenizer = Prefixed(plain.source_tokenizer.serialized)
    translator = Translator(plain.model, tokenizer, config=plain.config)
    texts = sentences(3)
    for prefixes in (None, ["the", "", "a"]):
        for best, *_ in translator.hypotheses(texts, prefixes, token_scores=True):
            assert best.ids[0] == 41 and best.token_scores[0] == 0.0
            total = sum(best.token_scores)
            np.testing.assert_allclose(best.score, total, atol=1e-4)


def test_empty_sentence_has_the_empty_translation(translator):
    hypotheses = translator.hypotheses(["", "a man", " \t "])
    assert hypotheses[0] == hypotheses[2] == [Hypothesis("", 0.0, ())]
    assert hypotheses[1][0].ids
    assert translator("") == ""


@marked(ON_TORCH)
def test_long_sentence_is_cut_with_one_warning(translator):
    long = " ".join(["bike"] * 500)
    message = "cut to 40 tokens: 2 of 3 sentences, first 'bike bike"
    with pytest.warns(UserWarning, match=message) as caught:
        first, _, second = translator([long, "a man", long + " dog"])
    assert sum(warning.category is UserWarning for warning in caught) == 1
    assert first == second
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        translator("bike")


@marked(ON_TORCH)
def test_stream_is_lazy_and_complete(make, sentences):
    translator = make(batch_size=1, search="greedy")
    texts = sentences(9)
    taken = []

    def lines():
        for text in texts:
            taken.append(text)
            yield text

    stream = translator.stream(lines())
    found = [next(stream)]
    assert len(taken) == 1  # one batch
    found.append(next(stream))
    assert len(taken) == 3  # then two
    found += stream
    assert taken == texts
    same(found, translator.hypotheses(texts))


def test_weights_may_change_under_a_translator(model, translator):
    before = translator.hypotheses(["a man"])
    weights = model.get_weights()
    model.set_weights([-weight for weight in weights])
    changed = translator.hypotheses(["a man"])
    model.set_weights(weights)
    assert changed != before
    same(translator.hypotheses(["a man"]), before)


@marked(ON_TORCH)
def test_learned_positions_are_a_limit(tokenizer):
    sizes = dict(encoder_layers=1, decoder_layers=1, d_model=8, d_ff=11, num_heads=1)
    config = TransformerConfig(
        source_vocab_size=67,
        target_vocab_size=67,
        positions="learned",
        max_positions=12,
        **sizes,
    )
    translator = Translator(Transformer(config), tokenizer)
    with pytest.warns(UserWarning, match="cut to 12 tokens"):
        ((best, *_),) = translator.hypotheses([" ".join(["bike"] * 50)])
    assert 1 <= len(best.ids) <= 12
    message = "targets must have at most 12 tokens, those that .*; received 'a bike b"
    with pytest.raises(ValueError, match=message):
        translator.score(["bike"] * 2, ["a", "a " + " ".join(["bike"] * 50)])


class Column:
    """Has what a column of a data frame has to be read: an iterator."""

    def __init__(self, texts):
        self.texts = texts

    def __iter__(self):
        return iter(self.texts)


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "given",
    [iter, tuple, np.array, Column, dict.fromkeys, lambda texts: map(str, texts)],
    ids=["iterator", "tuple", "array", "column", "keys", "map"],
)
def test_any_iterable_is_read_once(make, given):
    translator = make(search="greedy")
    texts = ["a man", "", "the red house"]
    targets = ["house", "a", "bike"]
    expected = translator(texts)
    assert translator(given(texts)) == expected and expected[0] and expected[2]
    found = list(translator.stream(given(texts), given(targets)))
    same(found, translator.hypotheses(texts, targets))
    same(translator.hypotheses(given(texts), given(targets)), found)
    scores = translator.score(given(texts), given(targets))
    np.testing.assert_allclose(scores, translator.score(texts, targets), atol=1e-4)
    links = translator.alignments(given(texts), given(targets))
    assert links == translator.alignments(texts, targets)


def test_a_stream_refuses_what_does_not_belong_together(translator):
    for lines, prefixes in ((["a", "b"], ["a"]), (["a"], iter(["a", "b"]))):
        with pytest.raises(ValueError, match="prefixes must be as many as lines; rec"):
            list(translator.stream(lines, prefixes))
    with pytest.raises(ValueError, match="lines must be a list of strings; received"):
        list(translator.stream("a man"))
    with pytest.raises(ValueError, match="prefixes must be a list of strings; rec"):
        list(translator.stream(["a", "b"], "ab"))


def test_bad_arguments_are_refused(translator):
    def refuses(message):
        return pytest.raises(ValueError, match=message)

    with refuses("prefixes must be as many as texts, 2; received 1"):
        translator.hypotheses(["a", "b"], ["a"])
    with refuses("targets must be as many as sources, 1; received 2"):
        translator.score(["a"], ["a", "b"])
    with refuses("texts must be a list of strings; received 'a man'"):
        translator.hypotheses("a man")
    with refuses("targets must be a list of strings; received 'a'"):
        translator.score(["a"], "a")


@pytest.mark.parametrize(
    "wrong, what",
    [
        (None, "be a string; received None"),
        (3, "be a string; received 3"),
        (b"a man", "be a string; received b'a man'"),
        ("a \ud800", r"be text without lone surrogates; received 'a \\ud800'"),
    ],
)
def test_what_is_no_sentence_is_refused(translator, wrong, what):
    calls = {
        r"texts\[1\]": lambda: translator(["a", wrong]),
        r"prefixes\[0\]": lambda: translator.hypotheses(["a"], [wrong]),
        r"lines\[1\]": lambda: list(translator.stream(["a", wrong])),
        r"sources\[0\]": lambda: translator.score([wrong], ["a"]),
        r"targets\[0\]": lambda: translator.alignments(["a"], [wrong]),
        "source": lambda: translator.attention(wrong),
        "text": lambda: translator.trace(wrong),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=f"^{name} must {what}"):
            call()
    what = what.replace("be a string", "be a list of strings")
    with pytest.raises(ValueError, match=what):
        translator(wrong)


def test_an_invisible_line_is_an_empty_one(translator):
    nothing = [Hypothesis("", 0.0, ())]
    hidden = ["\u200b", "\ufeff \u2060", "\u180e\t", "\u200d", "\u3000\u2800", "\0"]
    assert translator.hypotheses(hidden) == [nothing] * len(hidden)
    dressed = ["\ufeffa\u00a0\u200bdog \u2028", "a dog"]
    one, other = translator.hypotheses(dressed)
    assert one == other != nothing
    assert list(translator.stream(iter(hidden[:2]), token_scores=True)) == [nothing] * 2


def test_tokenizers_of_another_model_are_refused(model, tokenizer, sentences):
    small = Tokenizer.train(sentences(100), vocab_size=59)
    message = "target_tokenizer must have the model's 67 tokens; received 59"
    with pytest.raises(ValueError, match=message):
        Translator(model, tokenizer, small)
    other = Transformer(dataclasses.replace(model.config, pad_id=9, begin_id=9))
    message = r"the model's ids \(9, 9, 3\) of pad, begin and end; received \(0, 2, 3\)"
    with pytest.raises(ValueError, match=message):
        Translator(other, tokenizer)


def test_what_is_no_part_of_a_translator(model, tokenizer):
    message = "model must be a Transformer or an Ensemble .*; received 'Functional'"
    with pytest.raises(ValueError, match=message):
        Translator(keras.models.clone_model(model), tokenizer)
    with pytest.raises(ValueError, match="source_tokenizer must be a Tokenizer; rec"):
        Translator(model, "tokenizer.model")
    with pytest.raises(ValueError, match="config must be a DecodingConfig; received"):
        Translator(model, tokenizer, config=dict(beam=2))
    with pytest.raises(ValueError, match="run must be a path; received None"):
        Translator.load(None)


def test_a_broken_model_is_an_error(model, make):
    weights = model.get_weights()
    model.set_weights([np.full_like(weight, np.nan) for weight in weights])
    message = "the model must give finite scores: its weights are broken; received"
    try:
        with pytest.raises(ValueError, match=message):
            make(search="greedy")("a man")
    finally:
        model.set_weights(weights)


@marked(ON_TORCH)
def test_further_passes_give_no_further_warning(make):
    """Nor do they touch Python's filters, which belong to all threads."""
    lines = iter(["bike " * 500])
    options = dict(token_scores=True, alignments=True)
    with pytest.warns(UserWarning, match="cut to 40 tokens") as caught:
        list(make(search="greedy").stream(lines, **options))
    assert sum(warning.category is UserWarning for warning in caught) == 1
