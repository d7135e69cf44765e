"""The paper's building blocks, one layer a file.

Shape suffixes inside these files: B batch, S source positions, T target positions, L
cache positions, D model width, F feed-forward width, N heads, H size of one head, V
vocabulary, W hypotheses of one sentence (beam).
"""

# Before our own modules: the import of Keras imports all that it must know of ours.
import keras  # noqa: I001

from .decoder_block import DecoderBlock
from .encoder_block import EncoderBlock
from .feed_forward import FeedForward
from .masks import causal_mask, padding_mask
from .multi_head_attention import MultiHeadAttention
from .positional_embedding import PositionalEmbedding
from .relative_bias import RelativeBias
