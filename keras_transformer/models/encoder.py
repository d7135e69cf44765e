"""Source ids -> memory."""

import keras

from ..layers.encoder_block import EncoderBlock
from ..layers.masks import padding_mask
from .stack import Stack


@keras.saving.register_keras_serializable("keras_transformer")
class Encoder(Stack):
    """Embedding, dropout, and a stack of `EncoderBlock`s.

    Where the config says so, there are layer norms before and after the blocks.

    Args:
        config: a `TransformerConfig`.
        embedding: the `PositionalEmbedding` of the source ids, to share it with another
            layer; one of its own when absent.

    Call arguments:
        source_ids: `(B, S)` token ids, the config's `pad_id` after the sentence.
        source_mask: boolean `(B, 1, S)`, True at the real tokens; made from the ids
            when absent.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        memory `(B, S, D)`; with return_attention_scores a pair of it and a tuple of the
        weights `(B, N, S, S)` of each block.

    Examples:
        >>> config = preset("tiny", source_vocab_size=11, target_vocab_size=11)
        >>> encoder = Encoder(config)
        >>> tuple(encoder(np.array([[4, 5, 3, 0]])).shape)
        (1, 4, 128)

    Source: Vaswani et al. 2017, section 3.1.
    """

    side = "source"

    def make_blocks(self):
        config = self.config
        return self.stacked(EncoderBlock, config.encoder_layers, config.d_ff)

    def build(self, source_ids_shape, source_mask_shape=None):
        self.build_stack(source_ids_shape)

    def call(
        self,
        source_ids,
        source_mask=None,
        return_attention_scores=False,
        training=False,
    ):
        if source_mask is None:
            source_mask = padding_mask(source_ids, self.config.pad_id)
        x = self.embed(source_ids, training=training)
        scores = []
        for block in self.blocks:
            x = block(
                x,
                attention_mask=source_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                scores.append(weights)
        memory = self.final_norm(x)
        return (memory, tuple(scores)) if return_attention_scores else memory

    def compute_output_shape(self, source_ids_shape, source_mask_shape=None):
        return (*source_ids_shape, self.config.d_model)
