import dataclasses

import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH, SEARCHES, marked, randomise

from keras_transformer.config import DecodingConfig, TransformerConfig
from keras_transformer.decoding.attention import aligning, links, words_of
from keras_transformer.decoding.base_translator import Hypothesis
from keras_transformer.decoding.translator import Translator
from keras_transformer.models.transformer import Transformer
from keras_transformer.text.special_tokens import BEGIN, UNKNOWN
from keras_transformer.text.tokenizer import Tokenizer

LINES = [
    "a man rides a bike",
    "a woman sees the red house",
    "the dog is near the blue horse of a child",
]
CONFIG = DecodingConfig(beam=2, extra_length=3, batch_size=8, max_source_length=40)
LAYERS = 3
N = 2


@pytest.fixture(scope="module")
def translator():
    tokenizer = Tokenizer.train(LINES, vocab_size=41)
    config = TransformerConfig(
        source_vocab_size=41,
        target_vocab_size=41,
        encoder_layers=2,
        decoder_layers=LAYERS,
        d_model=14,
        d_ff=11,
        num_heads=N,
        norm_first=True,
    )
    return Translator(randomise(Transformer(config)), tokenizer, config=CONFIG)


def test_attention_is_that_of_every_layer_and_head(translator):
    found = translator.attention("the dog sees a man", "a red bike")
    assert found.source_tokens[-1] == found.target_tokens[-1] == "<\u0387/s>"
    assert found.input_tokens[0] == "<\u0387s>"
    words = "".join(found.source_tokens[:-1]).split("▁")[1:]
    assert words == "the dog sees a man".split()
    assert found.input_tokens[1:] == found.target_tokens[:-1]
    s = len(found.source_tokens)
    t = len(found.target_tokens)
    assert found.encoder.shape == (2, N, s, s)
    assert found.decoder.shape == (LAYERS, N, t, t)
    assert found.cross.shape == (LAYERS, N, t, s)
    for weights in (found.encoder, found.decoder, found.cross):
        assert weights.dtype == "float32"
        np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-5)
    assert not np.triu(found.decoder, k=1).any() and found.decoder[:, :, -1].all()


def test_attention_by_hand(translator):
    """With keys of zero all source tokens look alike, otherwise they do not."""
    model = translator.model
    weights = model.get_weights()
    for block in model.decoder.blocks:
        kernel = block.cross_attention.key.kernel
        kernel.assign(np.zeros(kernel.shape))
    found = translator.attention("a man", "a red bike")
    model.set_weights(weights)
    evenly = 1.0 / len(found.source_tokens)
    np.testing.assert_allclose(found.cross, evenly, atol=1e-6)
    changed = translator.attention("a man", "a red bike")
    assert np.abs(changed.cross[0] - evenly).max() > 0.01


@marked(ON_TORCH)
def test_attention_without_a_target_is_that_of_the_best_translation(translator):
    ((best, *_),) = translator.hypotheses([LINES[0]])
    found = translator.attention(LINES[0])
    given = translator.attention(LINES[0], best)
    assert found.target_tokens == given.target_tokens
    np.testing.assert_allclose(found.cross, given.cross, atol=1e-6)
    pieces = translator.target_tokenizer.pieces
    assert [pieces.index(piece) for piece in found.target_tokens] == [*best.ids]


@marked(ON_TORCH)
def test_alignments_are_the_largest_weights_of_the_last_layer_but_one(translator):
    source = "the dog sees a man"
    target = "a red bike"
    found = translator.attention(source, target)
    by_step = found.cross[LAYERS - 2].mean(axis=0)
    (source_ids,) = translator._encode_sources([source])
    (labels,) = translator._labels([target])
    inputs = translator.sentence_format.target(labels)
    rows = np.array([source_ids], "int32"), np.array([inputs], "int32")
    aligned = ops.convert_to_numpy(aligning(translator.model, *rows))[0]
    np.testing.assert_allclose(aligned, by_step, atol=1e-6)

    # Every word of these begins with the space that SentencePiece marks.
    def word(tokens):
        return np.cumsum([token.startswith("▁") for token in tokens[:-1]]) - 1

    expected = []
    for number in range(3):
        own = by_step[:-1][word(found.target_tokens) == number]
        weights = np.bincount(word(found.source_tokens), own[:, :-1].sum(axis=0))
        best, second = np.sort(weights)[:-3:-1]
        assert best - second > 1e-4  # no tie
        expected.append((int(weights.argmax()), number))
    assert translator.alignments([source], [target]) == [sorted(expected)]


@marked(ON_TORCH)
def test_alignments_do_not_depend_on_the_batch_and_take_hypotheses(translator):
    sources = [*LINES, "", "a bike", "horse"] * 2
    best = [found[0] for found in translator.hypotheses(sources)]
    together = translator.alignments(sources, best)
    alone = [translator.alignments([s], [t])[0] for s, t in zip(sources, best)]
    assert together == alone
    assert together[3] == [] and sum(map(len, together)) > 20
    for hypothesis, pairs in zip(best, together):
        words = range(len(hypothesis.text.split()))
        assert sorted(target for _, target in pairs) == list(words)
    assert translator.alignments(["a man", ""], ["", "a man"]) == [[], []]
    assert translator.alignments([], []) == []


@marked(ON_TORCH)
@pytest.mark.filterwarnings("ignore:cut to 40 tokens")
def test_a_cut_source_has_no_links_to_what_was_cut(translator):
    (pairs,) = translator.alignments([" ".join(["bike"] * 50)], ["a man"])
    assert {target for _, target in pairs} == {0, 1}
    assert max(source for source, _ in pairs) < 40


def test_words_of_tokens(translator):
    tokenizer = translator.source_tokenizer
    pieces = tokenizer.pieces
    text = "  the  bike sees "
    (ids,) = tokenizer.encode([text])
    starts = [pieces[number].startswith("▁") for number in ids]
    # A lone space has no letter of the word that it begins.
    expected = [
        None if pieces[number] == "▁" else int(word)
        for number, word in zip(ids, np.cumsum(starts) - 1)
    ]
    found = words_of(tokenizer, ids, text)
    assert found == expected and set(expected) >= {0, 1, 2}
    assert words_of(tokenizer, ids[:2], text) == found[:2]
    assert words_of(tokenizer, [], "") == []
    assert words_of(tokenizer, ids[:2], " ") == [None, None]
    # A word in letters, which `encode` would not give: told by the text that its tokens
    # spell.
    letters = [pieces.index(piece) for piece in ("▁", "m", "a", "n", "▁", "d")]
    assert words_of(tokenizer, letters, "man d")[1:] == [0, 0, 0, None, 1]
    (ids,) = tokenizer.encode(["a Ω man"])
    assert UNKNOWN in ids and words_of(tokenizer, ids, "a Ω man")[-1] == 2


def test_punctuation_counts_only_where_it_is_all_of_a_word():
    tokenizer = Tokenizer.train(["a man, a dog - ab"], vocab_size=16)
    pieces = tokenizer.pieces
    (ids,) = tokenizer.encode(["man, - dog"])
    words = words_of(tokenizer, ids, "man, - dog")
    found = dict(zip([pieces[number] for number in ids], words))
    assert found[","] is None and found["-"] == 1
    assert set(found.values()) == {0, 1, 2, None}


def test_a_letter_is_told_by_the_text_of_a_token():
    """Not by its spelling, in which Ġ, `</w>` and the names of bytes have letters."""
    texts = {1: "ein", 2: ",", 3: " (", 4: "\ufffd"}

    class Spelled:
        def encode(self, words):
            return [[1, 2], [3, 4]]

        def decode(self, rows):
            return [texts[number] for (number,) in rows]

    assert words_of(Spelled(), [1, 2, 3, 4], "ein, (ö") == [0, None, None, 1]


def test_links_by_hand():
    weights = np.array(
        [
            [0.1, 0.2, 0.7, 0.0],
            [0.3, 0.3, 0.4, 0.0],
            [0.2, 0.2, 0.5, 0.0],
            [0.0, 0.0, 0.1, 0.9],
        ]
    )
    # Source words 0, 0, 1; target words 0, 1, 1: the sums are (0.3, 0.7) and (0.6 +
    # 0.4, 0.4 + 0.5).
    assert links(weights, [0, 0, 1], [0, 1, 1]) == [(0, 1), (1, 0)]
    assert links(weights, [None, 0, 1], [0, 1, None]) == [(1, 0), (1, 1)]
    assert links(weights, [], [0]) == []
    assert links(weights, [0], []) == []
    assert links(weights, [None], [0]) == []


def test_bad_arguments_are_refused(translator):
    message = "targets must be as many as sources, 1; received 2"
    with pytest.raises(ValueError, match=message):
        translator.alignments(["a"], ["a", "b"])
    message = "sources must be a list of strings; received 'a man'"
    with pytest.raises(ValueError, match=message):
        translator.alignments("a man", ["a"])


@marked(ON_TORCH)
@pytest.mark.parametrize("search", SEARCHES)
def test_token_scores_add_up_to_the_score(translator, search):
    options = dict(search=search, n_best=1 if search == "greedy" else 2)
    config = dataclasses.replace(
        CONFIG, length_penalty=0.0, max_source_length=7, **options
    )
    tokenizer = translator.source_tokenizer
    translator = Translator(translator.model, tokenizer, config=config)
    with pytest.warns(UserWarning, match="cut to 7 tokens") as caught:
        found = translator.hypotheses([*LINES, ""], token_scores=True)
    assert sum(warning.category is UserWarning for warning in caught) == 1
    for hypothesis in [found for own in found[:-1] for found in own]:
        assert len(hypothesis.token_scores) == len(hypothesis.ids)
        total = sum(hypothesis.token_scores)
        np.testing.assert_allclose(total, hypothesis.score, atol=1e-4)
    assert found[-1] == [Hypothesis("", 0.0, (), ())]
    assert next(translator.stream(["a man"], token_scores=True))[0].token_scores
    assert BEGIN not in found[0][0].ids
    assert translator.hypotheses(["a man"])[0][0].token_scores == ()


@marked(ON_TORCH)
def test_a_stream_gives_alignments_with_its_hypotheses(translator):
    texts = ["the dog sees a man", "", "a red bike"]
    found = list(translator.stream(texts, alignments=True))
    best = [hypotheses[0] for hypotheses in found]
    expected = translator.alignments(texts, best)
    assert [list(one.alignment) for one in best] == expected
