"""Texts continued: the same in any batch, to a stop token, within limits."""

import dataclasses

import numpy as np
import pytest
from layer_checks import ON_TORCH, marked, randomise

from keras_transformer.config import CausalLMConfig, DecodingConfig
from keras_transformer.decoding.generator import Generator
from keras_transformer.models.causal_lm import CausalLM
from keras_transformer.text.tokenizer import Tokenizer

LINES = ["a man rides a bike", "two girls sit on a bench", "a horse runs"]
PROMPTS = ["a man rides a bike on a bench", "", "the", "two girls", "a horse a horse"]
SEARCHES = {
    "greedy": DecodingConfig(search="greedy", extra_length=9),
    "beam": DecodingConfig(beam=3, n_best=2, extra_length=9),
    "sampling": DecodingConfig(search="sampling", n_best=2, extra_length=9, seed=5),
}


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(LINES, vocab_size=30)


@pytest.fixture(scope="module")
def model():
    """Steep logits: first and second choice lie far apart."""
    sizes = dict(num_layers=1, d_model=16, d_ff=16, num_heads=2, dropout=0.0)
    config = CausalLMConfig(vocab_size=30, positions="rotary", **sizes)
    made = randomise(CausalLM(config), 0)
    made.set_weights([2 * weight for weight in made.get_weights()])
    return made


@pytest.mark.parametrize("search", SEARCHES)
def test_a_text_does_not_depend_on_its_batch(model, tokenizer, search):
    generator = Generator(model, tokenizer, SEARCHES[search])
    together = generator.hypotheses(PROMPTS, token_scores=True)
    for prompt, found in zip(PROMPTS, together):
        (alone,) = generator.hypotheses([prompt])
        assert [one.ids for one in found] == [one.ids for one in alone]
        scores = [one.score for one in found]
        assert scores == pytest.approx([one.score for one in alone], abs=1e-3)
        for one in found:
            assert 0 < len(one.ids) <= 9
            penalty = 1.0
            if search != "sampling":
                penalty = ((5 + len(one.ids)) / 6) ** 0.6
            total = sum(one.token_scores)
            assert one.score == pytest.approx(total / penalty, abs=1e-3)
            known = tokenizer.decode(tokenizer.encode([prompt]))[0]
            assert one.text.startswith(known)


@marked(ON_TORCH)
def test_greedy_takes_the_likeliest_token_of_a_call(model, tokenizer):
    generator = Generator(model, tokenizer, SEARCHES["greedy"])
    for prompt, (found,) in zip(PROMPTS, generator.hypotheses(PROMPTS)):
        ids = [2, *tokenizer.encode([prompt])[0]]
        expected = []
        while len(expected) < 9 and expected[-1:] != [3]:
            logits = np.array(model(np.array([[*ids, *expected]])).detach())[0, -1]
            logits[[0, 2]] = -np.inf  # padding and begin are never generated
            expected.append(int(logits.argmax()))
        assert list(found.ids) == expected


@marked(ON_TORCH)
def test_stop_tokens_end_a_text(model, tokenizer):
    (plain,) = Generator(model, tokenizer, SEARCHES["greedy"]).hypotheses(["a man"])[0]
    piece = tokenizer.pieces[plain.ids[2]]
    for search in ("greedy", "beam"):
        config = SEARCHES[search]
        generator = Generator(model, tokenizer, config, stop=[piece])
        found = generator.hypotheses(["a man"])[0][0]
        stops = [n for n, token in enumerate(found.ids) if token == plain.ids[2]]
        assert stops in ([], [len(found.ids) - 1])
    (found,) = Generator(model, tokenizer, SEARCHES["greedy"], [piece]).hypotheses(
        ["a man"]
    )[0]
    first = plain.ids.index(plain.ids[2])
    assert found.ids == plain.ids[: first + 1]


@marked(ON_TORCH)
def test_scores_are_those_of_the_tokens(model, tokenizer):
    generator = Generator(model, tokenizer, SEARCHES["greedy"])
    (score,) = generator.score(["a man"], ["rides"])
    ids = [2, *tokenizer.encode(["a man"])[0]]
    labels = [*tokenizer.encode(["rides"])[0], 3]
    logits = np.array(model(np.array([[*ids, *labels[:-1]]])).detach())[0]
    logits = logits[len(ids) - 1 :]
    chosen = logits[np.arange(len(labels)), labels]
    total = (chosen - np.log(np.exp(logits).sum(axis=1))).sum()
    assert score == pytest.approx(total, abs=1e-3)


@marked(ON_TORCH)
def test_the_score_of_a_hypothesis_is_that_of_its_ids(model, tokenizer):
    """Its text has the prompt as well."""
    generator = Generator(model, tokenizer, SEARCHES["sampling"], stop=["e"])
    for prompt, found in zip(PROMPTS, generator.hypotheses(PROMPTS)):
        scores = generator.score([prompt] * len(found), found)
        assert scores == pytest.approx([one.score for one in found], abs=1e-3)


@pytest.mark.parametrize("search", ["greedy", "sampling"])
def test_no_words_of_the_prompt_are_repeated(model, tokenizer, search):
    """However many of its tokens are read at once."""
    limits = dict(no_repeat_ngram=1, extra_length=5)
    limited = dataclasses.replace(SEARCHES[search], **limits)
    generator = Generator(model, tokenizer, limited)
    prompts = ["a horse runs", "a"]
    for begin in (tokenizer.prompt_prefix, ()):  # GPT-2's has none
        generator.begin = begin
        together = generator.hypotheses(prompts)
        for prompt, found in zip(prompts, together):
            (alone,) = generator.hypotheses([prompt])
            assert [one.ids for one in found] == [one.ids for one in alone]
            (asked,) = tokenizer.encode([prompt])
            for one in found:
                assert len({*one.ids}) == len(one.ids) and not {*one.ids} & {*asked}


@marked(ON_TORCH)
def test_a_learned_table_ends_a_text(tokenizer):
    config = CausalLMConfig(vocab_size=30, num_layers=1, d_model=8, d_ff=8, num_heads=2)
    config = dataclasses.replace(config, positions="learned", max_positions=8)
    model = CausalLM(config)
    generator = Generator(model, tokenizer, SEARCHES["greedy"])
    (found,) = generator.hypotheses(["a a"])[0]
    assert len(found.ids) <= 8 - len(tokenizer.encode(["a a"])[0])
    with pytest.raises(ValueError, match="a prompt must have at most 8 tokens"):
        generator([" ".join(LINES)])
    with pytest.raises(ValueError, match="targets must have with their prompts at mos"):
        generator.score(["a a"], ["a a a a a a"])


@marked(ON_TORCH)
def test_refusals(model, tokenizer):
    drawn = DecodingConfig(search="sampling", mbr=4)
    with pytest.raises(
        ValueError, match="mbr must be absent with a language model; rec"
    ):
        Generator(model, tokenizer, drawn)
    with pytest.raises(ValueError, match="stop must be a list of strings; received"):
        Generator(model, tokenizer, stop="a")
    with pytest.raises(ValueError, match="extra_length must be at least 1 with a lang"):
        Generator(model, tokenizer, DecodingConfig(extra_length=0))
    with pytest.raises(ValueError, match=r"stop must be tokens .* received \['zz'\]"):
        Generator(model, tokenizer, stop=["zz"])
    generator = Generator(model, tokenizer)
    with pytest.raises(ValueError, match="prefixes must be absent: a text begins"):
        generator.hypotheses(["a"], prefixes=["b"])
    with pytest.raises(ValueError, match="alignments must be absent for a language"):
        next(generator.stream(["a"], alignments=True))
    with pytest.raises(ValueError, match="model must be a CausalLM; received 'str'"):
        Generator("RUN", tokenizer)
    other = Tokenizer.train(LINES, vocab_size=28)
    with pytest.raises(ValueError, match="tokenizer must have the model's 30 tokens"):
        Generator(model, other)
    changed = CausalLMConfig(vocab_size=30, num_layers=1, d_model=8, d_ff=8, end_id=5)
    with pytest.raises(ValueError, match="tokenizer must have the model's ids"):
        Generator(CausalLM(changed), tokenizer)
