import dataclasses
import warnings

import numpy as np
import pytest

from keras_transformer.config import DecodingConfig, TransformerConfig
from keras_transformer.decoding.base_translator import Hypothesis
from keras_transformer.decoding.translator import Translator
from keras_transformer.models.transformer import Transformer
from keras_transformer.text.special_tokens import END
from keras_transformer.text.tokenizer import Tokenizer

WORDS = "a man woman child dog rides sees the red blue bike horse in near of house garden tree big small".split()
CONFIG = DecodingConfig(beam=3, extra_length=4, batch_size=64, max_source_length=40)


def sentences(count, seed=0, longest=8):
    random = np.random.default_rng(seed)
    return [
        " ".join(random.choice(WORDS, random.integers(1, longest)))
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(sentences(100), vocab_size=67)


@pytest.fixture(scope="module")
def model(tokenizer):
    sizes = dict(encoder_layers=1, decoder_layers=1, d_model=16, d_ff=29, num_heads=2)
    model = Transformer(
        TransformerConfig(source_vocab_size=67, target_vocab_size=67, **sizes)
    )
    random = np.random.default_rng(0)
    # Larger weights than at the start of training, so that translations differ, and
    # many of them end.
    for variable in model.trainable_variables:
        if variable.name == "kernel":
            variable.assign(random.normal(size=variable.shape, scale=0.6))
        elif variable.name == "embeddings":
            sizes = np.where(np.arange(67) == END, 1.0, 0.5)[:, None]
            variable.assign(random.normal(size=variable.shape) * sizes)
    return model


@pytest.fixture(scope="module")
def translator(model, tokenizer):
    return Translator(model, tokenizer, config=CONFIG)


def same(some, others):
    for one, other in zip(some, others, strict=True):
        assert [h.tokens for h in one] == [h.tokens for h in other]
        np.testing.assert_allclose(
            [h.score for h in one], [h.score for h in other], atol=1e-4
        )


@pytest.mark.parametrize("search", ["beam", "greedy", "sampling"])
def test_translation_is_the_same_alone_and_in_batches_of_7_and_64(
    model, tokenizer, search
):
    translator = Translator(
        model, tokenizer, config=dataclasses.replace(CONFIG, search=search)
    )
    texts = sentences(200 if search == "beam" else 40, seed=1)
    together = translator.hypotheses(texts)
    assert len({best.tokens for best, *_ in together}) > len(texts) / 2
    assert any(best.tokens[-1] == END for best, *_ in together)
    sevens = Translator(
        model, tokenizer, config=dataclasses.replace(translator.config, batch_size=7)
    )
    same(sevens.hypotheses(texts), together)
    same([translator.hypotheses([text])[0] for text in texts], together)


def test_call_takes_one_sentence_or_many_in_any_order(translator):
    texts = sentences(9, seed=2)
    translations = translator(texts)
    assert translations[::-1] == translator(texts[::-1])
    assert translator(texts[4]) == translations[4]
    assert translator([]) == []


def test_score_is_that_of_the_search_without_a_cache(model, tokenizer):
    translator = Translator(
        model,
        tokenizer,
        config=dataclasses.replace(CONFIG, length_penalty=0.0, n_best=3),
    )
    texts = sentences(20, seed=3)
    # Decoded text may be tokenised otherwise, or may have lost its end at the limit:
    # such cannot be compared.
    pairs = [
        (text, hypothesis)
        for text, hypotheses in zip(texts, translator.hypotheses(texts), strict=True)
        for hypothesis in hypotheses
        if [*tokenizer.encode([hypothesis.text])[0], END] == list(hypothesis.tokens)
    ]
    assert len(pairs) >= 3
    scores = translator.score(
        [text for text, _ in pairs], [hypothesis.text for _, hypothesis in pairs]
    )
    np.testing.assert_allclose(
        scores, [hypothesis.score for _, hypothesis in pairs], atol=1e-4
    )
    np.testing.assert_allclose(
        translator.score(*map(list, [[pairs[0][0]], [pairs[0][1].text]])),
        scores[:1],
        atol=1e-4,
    )


def test_n_best_is_sorted_and_different(model, tokenizer):
    for search in ("beam", "sampling"):
        config = dataclasses.replace(CONFIG, n_best=3, search=search)
        for hypotheses in Translator(model, tokenizer, config=config).hypotheses(
            sentences(5)
        ):
            assert len({h.tokens for h in hypotheses}) == 3
            assert [h.score for h in hypotheses] == sorted(
                (h.score for h in hypotheses), reverse=True
            )


def test_seed_changes_the_sample(model, tokenizer):
    texts = sentences(5)
    one, again, other = (
        Translator(
            model,
            tokenizer,
            config=dataclasses.replace(CONFIG, search="sampling", seed=seed),
        )(texts)
        for seed in (1, 1, 2)
    )
    assert one == again != other


def test_prefix_begins_the_translation(translator, tokenizer):
    prefixes = ["the red house", "", "a"]
    free, forced = (
        translator.hypotheses(sentences(3)),
        translator.hypotheses(sentences(3), prefixes),
    )
    for prefix, (best, *_) in zip(prefixes, forced, strict=True):
        assert best.text.startswith(prefix)
    same(forced[1:2], free[1:2])


def test_empty_sentence_has_the_empty_translation(translator):
    hypotheses = translator.hypotheses(["", "a man", " \t "])
    assert hypotheses[0] == hypotheses[2] == [Hypothesis("", 0.0, ())]
    assert hypotheses[1][0].tokens
    assert translator("") == ""


def test_long_sentence_is_cut_with_one_warning(translator, tokenizer):
    long = " ".join(["bike"] * 500)
    with pytest.warns(
        UserWarning, match="cut to 40 tokens: 2 of 3 sentences, first 'bike bike"
    ) as caught:
        first, _, second = translator([long, "a man", long + " dog"])
    assert (
        len([w for w in caught if w.category is UserWarning]) == 1 and first == second
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        translator("bike")


def test_stream_is_lazy_and_complete(model, tokenizer):
    translator = Translator(
        model, tokenizer, config=dataclasses.replace(CONFIG, batch_size=1)
    )
    taken = []
    lines = (taken.append(line) or line for line in sentences(35))
    stream = translator.stream(lines)
    next(stream)
    assert len(taken) == 1  # one batch
    next(stream)
    assert len(taken) == 3  # then two
    same(list(translator.stream(sentences(35))), translator.hypotheses(sentences(35)))


def test_weights_may_change_under_a_translator(model, tokenizer):
    translator = Translator(model, tokenizer, config=CONFIG)
    before, weights = translator.hypotheses(["a man"]), model.get_weights()
    model.set_weights([-weight for weight in weights])
    changed = translator.hypotheses(["a man"])
    model.set_weights(weights)
    assert changed != before
    same(translator.hypotheses(["a man"]), before)


def test_learned_positions_are_a_limit(tokenizer):
    sizes = dict(
        encoder_layers=1,
        decoder_layers=1,
        d_model=8,
        d_ff=11,
        num_heads=1,
        positions="learned",
        max_positions=12,
    )
    model = Transformer(
        TransformerConfig(source_vocab_size=67, target_vocab_size=67, **sizes)
    )
    with pytest.warns(UserWarning, match="cut to 12 tokens"):
        ((best, *_),) = Translator(model, tokenizer).hypotheses(
            [" ".join(["bike"] * 50)]
        )
    assert 1 <= len(best.tokens) <= 12


def test_bad_arguments_are_refused(model, tokenizer, translator):
    small = Tokenizer.train(sentences(100), vocab_size=59)
    with pytest.raises(
        ValueError,
        match="target_tokenizer must have the model's 67 tokens; received 59",
    ):
        Translator(model, tokenizer, small)
    other = Transformer(dataclasses.replace(model.config, pad_id=9, begin_id=9))
    with pytest.raises(
        ValueError,
        match=r"the model's ids \(9, 9, 3\) of pad, begin and end; received \(0, 2, 3\)",
    ):
        Translator(other, tokenizer)
    with pytest.raises(
        ValueError, match="prefixes must be as many as texts, 2; received 1"
    ):
        translator.hypotheses(["a", "b"], ["a"])
    with pytest.raises(
        ValueError, match="targets must be as many as sources, 1; received 2"
    ):
        translator.score(["a"], ["a", "b"])
    with pytest.raises(
        ValueError, match="texts must be a list of strings; received the string 'a man'"
    ):
        translator.hypotheses("a man")
    with pytest.raises(
        ValueError, match="targets must be a list of strings; received the string 'a'"
    ):
        translator.score(["a"], "a")


def test_a_broken_model_is_an_error(tokenizer):
    sizes = dict(encoder_layers=1, decoder_layers=1, d_model=16, d_ff=29, num_heads=2)
    model = Transformer(
        TransformerConfig(source_vocab_size=67, target_vocab_size=67, **sizes)
    )
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(
        ValueError,
        match="the model must give finite scores; received .*: its weights are broken",
    ):
        Translator(
            model, tokenizer, config=dataclasses.replace(CONFIG, search="greedy")
        )("a man")
