"""Source ids -> memory."""

import keras

from ..layers.encoder_block import EncoderBlock
from ..layers.masks import padding_mask, positions_of
from .stack import Stack


@keras.saving.register_keras_serializable("keras_transformer")
class Encoder(Stack):
    """Embedding, dropout, and a stack of `EncoderBlock`s.

    Where the config says so, there are norms before and after the blocks.

    Args:
        config: a `TransformerConfig` or an `EncoderConfig`.
        embedding: what makes `(B, S, D)` of the ids: a `PositionalEmbedding`, to share
            it with another layer, or another layer in its place, of patches or frames;
            a `PositionalEmbedding` of its own when absent.

    Call arguments:
        source_ids: `(B, S)` token ids, the config's `pad_id` after the sentence; or
            what another `embedding` reads.
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
    block = EncoderBlock

    def build(self, source_ids_shape, source_mask_shape=None):
        self.build_stack(source_ids_shape)

    def call(
        self,
        source_ids,
        source_mask=None,
        return_attention_scores=False,
        training=False,
    ):
        if source_mask is None and reads_ids(source_ids):
            source_mask = padding_mask(source_ids, self.config.pad_id)
        x = self.prepare(self.embedding(source_ids), training)
        positions = positions_of(x[:1, :, 0])
        bias = self.position_bias(positions, positions)
        scores = []
        for block in self.blocks:
            x = block(
                x,
                attention_mask=source_mask,
                position_bias=bias,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                scores.append(weights)
        memory = self.final_norm(x)
        return (memory, tuple(scores)) if return_attention_scores else memory

    def compute_output_shape(self, source_ids_shape, source_mask_shape=None):
        return self.embedding.compute_output_shape(source_ids_shape)


def reads_ids(inputs):
    """Whether inputs are token ids, among which padding can be told."""
    return len(inputs.shape) == 2
