"""Bad arguments of Python: one error that names argument, expectation and value."""

import numpy as np
import pytest
from keras import ops

from keras_transformer import (
    EncoderBlock,
    LabelSmoothedCrossEntropy,
    MultiHeadAttention,
    RDropCrossEntropy,
    RelativeBias,
    TokenAccuracy,
    TokenBatches,
    Tokenizer,
    Transformer,
    average_weights,
    causal_mask,
    compile_for_training,
    mix_pairs,
    paper_adam,
    preset,
    read_pairs,
    train,
)

PAIRS = [("a", "b")]
X = np.ones((1, 3, 8))
ATTENTION = {"num_heads": 2, "key_dim": 4}
LISTS = "checkpoints must be lists of arrays, as model.get_weights"


@pytest.fixture(scope="module")
def model():
    sizes = dict(source_vocab_size=20, target_vocab_size=20)
    return compile_for_training(Transformer(preset("tiny", **sizes)))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)


def refuses(message, call, *arguments, **options):
    with pytest.raises(ValueError, match=message):
        call(*arguments, **options)


def test_recipe(model):
    ids = np.full((4, 3), 5)
    inputs = {"source_ids": ids, "target_ids": ids}
    refuses("training must be a TrainingConfig; rec", compile_for_training, model, {})
    refuses("y_true must be ids .* received None", model.fit, inputs, verbose=0)
    refuses("global_clipnorm must be above 0", paper_adam, 0.1, global_clipnorm=-1)
    refuses("alpha must be a number; received .x.", RDropCrossEntropy, "x")
    refuses("alpha must be at least 0; received nan", RDropCrossEntropy, float("nan"))
    refuses("run must be a path; received None", train, None, "a", "b")


@pytest.mark.parametrize("kind", [LabelSmoothedCrossEntropy, TokenAccuracy])
@pytest.mark.parametrize("value", ["x", 1.5, True])
def test_ignored_class(kind, value):
    refuses("ignore_class must be an integer id or None", kind, ignore_class=value)


@pytest.mark.parametrize("value", [None, 5, "x", ["none.keras"]])
def test_checkpoints(value):
    refuses(LISTS, average_weights, value)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"gated": "yes"}, "gated must be a boolean; received 'yes'"),
        ({"norm_first": 1}, "norm_first must be a boolean; received 1"),
        ({"feed_forward_bias": None}, "feed_forward_bias must be a boolean"),
        ({"rotary": (0,)}, "base must be above 0; received 0"),
    ],
)
def test_layers(options, message):
    block = {**ATTENTION, "d_ff": 8, **options}
    refuses(message, lambda: EncoderBlock(**block)(X))


def test_masks():
    for value in ("a", 2.5, -1, None):
        refuses("queries must be a length, or positions", causal_mask, value, 3)
    refuses(
        "queries must be the positions", RelativeBias(2), np.arange(3), np.arange(3)
    )
    attend = MultiHeadAttention(**ATTENTION)
    listed = [[True, False, True]] * 3
    expected = ops.convert_to_numpy(attend(X, attention_mask=np.array(listed)))
    found = ops.convert_to_numpy(attend(X, attention_mask=listed))
    np.testing.assert_array_equal(found, expected)
    refuses("attention_mask must be boolean", attend, X, attention_mask=[[1.0] * 3] * 3)


def test_pairs(tokenizer):
    refuses("corpora must be a list of at least one; received", mix_pairs, [])
    refuses("weights must be as many as the corpora, 1", mix_pairs, [PAIRS], weights=1)
    refuses("weights must be above 0; rec", mix_pairs, [PAIRS], weights=["a"])
    refuses("tags must be as many as the corpora, 1", mix_pairs, [PAIRS], tags="x")
    refuses("tags must be texts", mix_pairs, [PAIRS], tags=[5])
    assert list(read_pairs(np.array(PAIRS))) == PAIRS
    lines = (["a"], ["b"])
    refuses("tokenizer must be a Tokenizer", TokenBatches.from_lines, *lines, None)
    refuses("tokenizers must be a pair", TokenBatches.from_lines, *lines)
    message = "config must be a DataConfig; received 'dict'"
    refuses(message, TokenBatches.from_lines, *lines, tokenizer, config={})
    for value in (None, 5, [5]):
        refuses("ids must be lists of integers", tokenizer.decode, value)
