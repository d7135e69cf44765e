"""The paper's building blocks, one layer a file.

Shape suffixes inside these files: B batch, S source positions, T target positions, L
cache positions, D model width, F feed-forward width, N heads, H size of one head, V
vocabulary, W hypotheses of one sentence (beam).
"""

# Before our own modules: the import of Keras imports all that it must know of ours.
import keras  # noqa: F401, I001

from keras_transformer.layers.decoder_block import DecoderBlock
from keras_transformer.layers.encoder_block import EncoderBlock
from keras_transformer.layers.feed_forward import FeedForward
from keras_transformer.layers.masks import causal_mask, padding_mask
from keras_transformer.layers.multi_head_attention import MultiHeadAttention
from keras_transformer.layers.positional_embedding import PositionalEmbedding

__all__ = [
    "DecoderBlock",
    "EncoderBlock",
    "FeedForward",
    "MultiHeadAttention",
    "PositionalEmbedding",
    "causal_mask",
    "padding_mask",
]
