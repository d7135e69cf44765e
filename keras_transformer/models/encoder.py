"""Source ids -> memory."""

import keras

from keras_transformer.layers.encoder_block import EncoderBlock


def block_options(config, d_ff):
    """The arguments that `EncoderBlock` and `DecoderBlock` take from a `TransformerConfig`."""
    head_size = config.d_model // config.num_heads
    return dict(
        num_heads=config.num_heads,
        key_dim=config.key_dim or head_size,
        value_dim=config.value_dim or head_size,
        d_ff=d_ff,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        activation=config.activation,
        norm_first=config.norm_first,
        attention_bias=config.attention_bias,
        layer_norm_epsilon=config.layer_norm_epsilon,
    )


def stack_norms(config, dtype):
    """The layer norms before and after the blocks of a stack, None where the config has none."""

    def norm(name):
        return keras.layers.LayerNormalization(
            epsilon=config.layer_norm_epsilon, dtype=dtype, name=name
        )

    embedding_norm = norm("embedding_norm") if config.embedding_norm else None
    return embedding_norm, norm("final_norm") if config.has_final_norm else None


class Encoder(keras.layers.Layer):
    """Embedding, dropout, and a stack of `EncoderBlock`s; where the config says so, layer norms before and after them.

    Args:
        config: a `TransformerConfig`.
        embedding: the `PositionalEmbedding` of the source ids.

    Call arguments:
        source_ids: `(B, S)` integer token ids.
        source_mask: boolean `(B, 1, S)`, True at the real tokens.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        memory `(B, S, D)`; with return_attention_scores a pair of it and the weights `(B, N,
        S, S)` of each block, in a tuple.

    Source: Vaswani et al. 2017, section 3.1.
    """

    is_second = False

    def __init__(self, config, embedding, **kwargs):
        super().__init__(**kwargs)
        self.config, self.embedding = config, embedding
        self.dropout = keras.layers.Dropout(
            config.dropout, dtype=self.dtype_policy, name="dropout"
        )
        self.blocks = [
            EncoderBlock(
                **block_options(config, config.d_ffs[0]),
                dtype=self.dtype_policy,
                name=f"block_{n}",
            )
            for n in range(config.encoder_layers)
        ]
        self.embedding_norm, self.final_norm = stack_norms(config, self.dtype_policy)

    def build(self, source_ids_shape, source_mask_shape=None):
        shape = (*source_ids_shape, self.config.d_model)
        if not self.embedding.built:
            self.embedding.build(source_ids_shape)
        for layer in (self.embedding_norm, *self.blocks, self.final_norm):
            if layer is not None:
                layer.build(shape)

    def call(
        self, source_ids, source_mask, return_attention_scores=False, training=False
    ):
        x, attention = self.embedding(source_ids), []
        x = self.dropout(
            x if self.embedding_norm is None else self.embedding_norm(x),
            training=training,
        )
        for block in self.blocks:
            x = block(
                x,
                attention_mask=source_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                attention.append(weights)
        if self.final_norm is not None:
            x = self.final_norm(x)
        return (x, tuple(attention)) if return_attention_scores else x

    def compute_output_spec(
        self, source_ids, source_mask, return_attention_scores=False, training=False
    ):
        memory = keras.KerasTensor(
            (*source_ids.shape, self.config.d_model), dtype=self.compute_dtype
        )
        if not return_attention_scores:
            return memory
        return memory, tuple(
            block.attention_spec(source_ids, source_ids) for block in self.blocks
        )
