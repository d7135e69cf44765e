"""Target ids and memory -> logits, for all positions at once or one by one with a cache."""

import keras
from keras import ops

from keras_transformer.layers.decoder_block import DecoderBlock
from keras_transformer.layers.masks import causal_mask, positions_of
from keras_transformer.models.encoder import block_options, stack_norms


class Decoder(keras.layers.Layer):
    """Embedding, dropout, a stack of `DecoderBlock`s, and the embedding matrix again as output projection.

    Where the config says so, there are layer norms before and after the blocks, the
    projection has a matrix of its own, and its logits a bias, which training leaves as
    it is: in the checkpoints that have one it is no parameter either.

    Args:
        config: a `TransformerConfig`.
        embedding: the `PositionalEmbedding` of the target ids.

    Call arguments:
        target_ids: `(R, T)` integer token ids, shifted right: the first is the config's
            `begin_id`.
        memory: `(B, S, D)` output of the encoder; R is B, or B times the hypotheses of
            each sentence.
        source_mask: boolean `(B, 1, S)`, True at the real source tokens.
        cache: `()` for all positions at once; or, with T = 1, a pair `(self_cache,
            cross_cache)`, each a tuple over the blocks of keys and values:
            `empty_self_cache(R, L)` at the start, and `cross_cache(memory)`.
        index: position of the first target id, an integer or a scalar integer tensor.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        `(logits (R, T, V) float32, cache)`. With return_attention_scores, without a cache,
        also a tuple of each block's
        weights: pairs of `(R, N, T, T)` to the target and `(R, N, T, S)` to the source.

    Source: Vaswani et al. 2017, section 3.1.
    """

    is_second = True  # of the two sides that may have learned positions of their own

    def __init__(self, config, embedding, **kwargs):
        super().__init__(**kwargs)
        self.config, self.embedding = config, embedding
        self.dropout = keras.layers.Dropout(
            config.dropout, dtype=self.dtype_policy, name="dropout"
        )
        self.blocks = [
            DecoderBlock(
                **block_options(config, config.d_ffs[1]),
                dtype=self.dtype_policy,
                name=f"block_{n}",
            )
            for n in range(config.decoder_layers)
        ]
        self.embedding_norm, self.final_norm = stack_norms(config, self.dtype_policy)
        self.output_matrix = self.output_bias = None

    def build(self, target_ids_shape, memory_shape, source_mask_shape=None):
        shape = (*target_ids_shape, self.config.d_model)
        if not self.embedding.built:
            self.embedding.build(target_ids_shape)
        for block in self.blocks:
            block.build(shape, memory_shape)
        for norm in (self.embedding_norm, self.final_norm):
            if norm is not None:
                norm.build(shape)
        size, width = self.config.target_vocab_size, self.config.d_model
        # autocast=False for the same reason as in the embedding.
        if not self.config.tie_output:
            normal = keras.initializers.RandomNormal(stddev=width**-0.5)
            self.output_matrix = self.add_weight(
                (size, width), normal, autocast=False, name="output_matrix"
            )
        if self.config.output_bias:
            options = dict(trainable=False, autocast=False, name="output_bias")
            self.output_bias = self.add_weight((size,), "zeros", **options)

    def call(
        self,
        target_ids,
        memory,
        source_mask,
        cache=(),
        index=0,
        return_attention_scores=False,
        training=False,
    ):
        x = self.embedding(target_ids, index=index, second=self.is_second)
        x = self.dropout(
            x if self.embedding_norm is None else self.embedding_norm(x),
            training=training,
        )
        query_positions = positions_of(target_ids) + index
        key_positions = (
            ops.expand_dims(ops.arange(ops.shape(cache[0][0][0])[2]), axis=0)
            if cache
            else query_positions
        )
        mask = causal_mask(query_positions[:1], key_positions[:1])
        block_caches = list(zip(*cache)) if cache else [()] * len(self.blocks)
        how, attention = (
            dict(
                index=index,
                return_attention_scores=return_attention_scores,
                training=training,
            ),
            [],
        )
        for n, block in enumerate(self.blocks):
            x, block_caches[n], *weights = block(
                x, memory, mask, source_mask, cache=block_caches[n], **how
            )
            attention += weights
        if self.final_norm is not None:
            x = self.final_norm(x)
        logits = self.embedding.project(x, self.output_matrix)
        if self.output_bias is not None:
            logits = logits + self.output_bias
        found = logits, tuple(zip(*block_caches)) if cache else ()
        return (*found, tuple(attention)) if return_attention_scores else found

    def compute_output_spec(
        self,
        target_ids,
        memory,
        source_mask,
        cache=(),
        index=0,
        return_attention_scores=False,
        training=False,
    ):
        logits = keras.KerasTensor(
            (*target_ids.shape, self.config.target_vocab_size), dtype="float32"
        )
        if not return_attention_scores:
            return logits, cache
        sides = (target_ids, memory)
        weights = tuple(
            tuple(block.attention_spec(target_ids, side) for side in sides)
            for block in self.blocks
        )
        return logits, cache, weights

    def empty_self_cache(self, rows, length):
        """Room for the keys and values of `length` target positions of `rows` hypotheses, in every block."""
        heads = self.config.num_heads
        sizes = [block.self_attention.key_dim for block in self.blocks]
        value_sizes = [block.self_attention.value_dim for block in self.blocks]
        return tuple(
            tuple(
                ops.zeros((rows, heads, length, size), dtype=self.compute_dtype)
                for size in pair
            )
            for pair in zip(sizes, value_sizes)
        )

    def cross_cache(self, memory):
        """The keys and values of a memory `(B, S, D)` in every block: computed once a sentence, read at every step."""
        return tuple(block.cross_attention.project(memory) for block in self.blocks)
