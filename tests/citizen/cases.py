"""Every layer of ours with small arguments, and arrays that it can be called on."""

import numpy as np

from keras_transformer.config import EncoderConfig, TransformerConfig
from keras_transformer.layers.decoder_block import DecoderBlock
from keras_transformer.layers.encoder_block import EncoderBlock
from keras_transformer.layers.feed_forward import FeedForward
from keras_transformer.layers.multi_head_attention import MultiHeadAttention
from keras_transformer.layers.positional_embedding import PositionalEmbedding
from keras_transformer.layers.relative_bias import RelativeBias
from keras_transformer.layers.residual import Residual
from keras_transformer.models.decoder import Decoder
from keras_transformer.models.encoder import Encoder
from keras_transformer.models.heads import MaskedLanguageModel
from keras_transformer.models.transformer import EncoderDecoder

CONFIG = TransformerConfig(
    source_vocab_size=11,
    target_vocab_size=11,
    encoder_layers=1,
    decoder_layers=1,
    d_model=6,
    d_ff=7,
    num_heads=3,
)
ALONE = EncoderConfig(
    vocab_size=11, num_layers=1, d_model=6, d_ff=7, num_heads=3, token_types=11
)
BLOCK = dict(num_heads=3, key_dim=5, d_ff=7)


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def ids(*shape):
    return np.random.default_rng(1).integers(4, 11, shape).astype("int32")


X = normal(2, 4, 6)
MEMORY = normal(2, 5, 6)
# Name -> (class, arguments, arrays). Arrays are given by the names of call arguments.
LAYERS = {
    "MultiHeadAttention": (
        MultiHeadAttention,
        dict(num_heads=3, key_dim=5, value_dim=2),
        dict(x=X),
    ),
    "cross": (
        MultiHeadAttention,
        dict(num_heads=3, key_dim=5),
        dict(x=X, memory=MEMORY),
    ),
    "attention with options": (
        MultiHeadAttention,
        dict(num_heads=4, key_dim=6, num_key_value_heads=2, rotary=[9.0], window=2),
        dict(x=X),
    ),
    "RelativeBias": (
        RelativeBias,
        dict(num_heads=3, num_buckets=8, max_distance=9),
        dict(queries=ids(2, 4), keys=ids(2, 5)),
    ),
    "gated": (
        FeedForward,
        dict(d_ff=7, activation="gelu_tanh", gated=True, use_bias=False),
        dict(x=X),
    ),
    "FeedForward": (FeedForward, dict(d_ff=7), dict(x=X)),
    "Residual": (Residual, {}, dict(x=X, update=normal(2, 4, 6))),
    "EncoderBlock": (EncoderBlock, BLOCK, dict(x=X)),
    "decoder alone": (DecoderBlock, {**BLOCK, "norm": "rms"}, dict(x=X)),
    "DecoderBlock": (DecoderBlock, BLOCK, dict(x=X, memory=MEMORY)),
    "PositionalEmbedding": (
        PositionalEmbedding,
        dict(vocab_size=11, d_model=6),
        dict(ids=ids(2, 4)),
    ),
    "learned": (
        PositionalEmbedding,
        dict(vocab_size=11, d_model=6, positions="learned", max_positions=9),
        dict(ids=ids(2, 4)),
    ),
    "Encoder": (Encoder, dict(config=CONFIG), dict(source_ids=ids(2, 5))),
    "Encoder alone": (
        Encoder,
        dict(config=ALONE),
        dict(source_ids=ids(2, 5), token_types=ids(2, 5)),
    ),
    "MaskedLanguageModel": (
        MaskedLanguageModel,
        dict(config=ALONE),
        dict(token_ids=ids(2, 5)),
    ),
    "Decoder": (
        Decoder,
        dict(config=CONFIG),
        dict(target_ids=ids(2, 4), memory=MEMORY),
    ),
    "EncoderDecoder": (
        EncoderDecoder,
        dict(config=CONFIG),
        dict(source_ids=ids(2, 5), target_ids=ids(2, 4)),
    ),
}
