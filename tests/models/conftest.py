import numpy as np
import pytest
from layer_checks import randomise

from keras_transformer.config import TransformerConfig
from keras_transformer.models.transformer import Transformer
from keras_transformer.text.special_tokens import BEGIN, END, PAD

# Every axis a size of its own: B 3, S 11, T 7, N 2, H 5 and 13, F 17, V 19 (or 23 and
# 29), D 14.
SIZES = dict(
    source_vocab_size=19,
    target_vocab_size=19,
    encoder_layers=1,
    decoder_layers=2,
    d_model=14,
    d_ff=17,
    num_heads=2,
)


@pytest.fixture
def make():
    """A small model whose weights are the same on every backend."""

    def make(dtype=None, seed=0, **changes):
        sizes = {"key_dim": 5, "value_dim": 5, "dropout": 0.0, **SIZES, **changes}
        return randomise(Transformer(TransformerConfig(**sizes), dtype=dtype), seed)

    return make


def padded(ids, lengths):
    """Ids that end at those lengths, with padding after END."""
    for row, length in zip(ids, lengths, strict=True):
        row[length - 1] = END
        row[length:] = PAD
    return ids


@pytest.fixture
def batch():
    """Inputs, labels and their weights of three sentences of different lengths."""
    random = np.random.default_rng(5)
    source, target = (
        random.integers(END + 1, 19, size=(3, size), dtype="int32") for size in (11, 7)
    )
    padded(source, (11, 4, 1))
    padded(target, (3, 7, 1))
    begin = np.full((3, 1), BEGIN, "int32")
    shifted = np.concatenate([begin, target[:, :-1]], axis=1)
    weights = (target != PAD).astype("float32")
    inputs = {"source_ids": source, "target_ids": shifted}
    return inputs, target, weights / weights.sum()
