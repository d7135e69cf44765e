"""Source ids -> memory."""

import keras
from keras import ops

from ..config import refused
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
            a `PositionalEmbedding` of its own when absent. A `.keras` file keeps that
            it is shared; `clone_model` and `to_json` do not.

    Call arguments:
        source_ids: `(B, S)` token ids, the config's `pad_id` after the sentence; or
            what another `embedding` reads.
        source_mask: boolean `(B, 1, S)`, True at the real tokens; made from the ids
            when absent.
        token_types: `(B, S)` the kind of each token, as BERT's first and second text;
            0 when absent. Only with the config's `token_types`.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        memory `(B, S, D)`; with return_attention_scores a pair of it and a tuple of the
        weights `(B, N, S, S)` of each block.

    Raises:
        ValueError: if there are token types that the config has not.

    Examples:
        >>> config = preset("tiny", source_vocab_size=11, target_vocab_size=11)
        >>> encoder = Encoder(config)
        >>> tuple(encoder(np.array([[4, 5, 3, 0]])).shape)
        (1, 4, 128)

    Source: Vaswani et al. 2017, section 3.1.
    """

    side = "source"
    block = EncoderBlock

    def build(self, source_ids_shape, source_mask_shape=None, token_types_shape=None):
        self.build_stack(source_ids_shape)
        self.token_type_embedding = None
        if self.config.token_types:
            self.token_type_embedding = self.make(
                keras.layers.Embedding,
                self.config.token_types,
                self.config.d_model,
                embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
                name="token_type_embedding",
            )
            self.token_type_embedding.build(source_ids_shape)

    def call(
        self,
        source_ids,
        source_mask=None,
        token_types=None,
        return_attention_scores=False,
        training=False,
    ):
        if source_mask is None and reads_ids(source_ids):
            source_mask = padding_mask(source_ids, self.config.pad_id)
        x = self._with_types(self.embedding(source_ids), source_ids, token_types)
        x = self.prepare(x, training)
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

    def _with_types(self, x, source_ids, token_types):
        """x plus the vectors of the token types, if the config has such."""
        if self.token_type_embedding is None:
            if token_types is not None:
                what = "be absent without token_types in the config"
                raise refused("token_types", what, tuple(token_types.shape))
            return x
        if token_types is None:
            token_types = ops.zeros_like(source_ids)
        return ops.add(x, self.token_type_embedding(token_types))

    def compute_output_shape(
        self, source_ids_shape, source_mask_shape=None, token_types_shape=None
    ):
        return self.embedding.compute_output_shape(source_ids_shape)


def reads_ids(inputs):
    """Whether inputs are token ids, among which padding can be told."""
    return len(inputs.shape) == 2
