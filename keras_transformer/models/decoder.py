"""Target ids and memory -> logits: all positions at once, or step by step."""

import contextvars

import keras
from keras import ops

from ..layers.decoder_block import DecoderBlock
from ..layers.dense import Dense
from ..layers.masks import as_positions, both, causal_mask, documents, positions_of
from .stack import Stack

# The decoder whose calls give the last states `(B, T, D)` in place of their logits.
GIVES_STATES = contextvars.ContextVar("GIVES_STATES", default=None)


@keras.saving.register_keras_serializable("keras_transformer")
class Decoder(Stack):
    """Embedding, dropout, a stack of `DecoderBlock`s, and the output projection.

    The projection is the embedding's matrix again. Where the config says so, there are
    norms before and after the blocks, the projection has a matrix of its own, and
    its logits have a bias. Training leaves that bias as it is: in the checkpoints that
    have one it is no parameter either.

    Args:
        config: a `TransformerConfig`, or a `CausalLMConfig` for a decoder that has no
            memory.
        embedding: the `PositionalEmbedding` of the target ids, to share it with another
            layer, as in `Encoder`; one of its own when absent.

    Call arguments:
        target_ids: `(B, T)` token ids, shifted right: the first is the config's
            `begin_id`.
        memory: `(B, S, D)` output of the encoder, or None.
        source_mask: boolean `(B, 1, S)`, True at the real source tokens; all of them
            when absent.
        attention_mask: boolean `(B, T, T)`, what target positions may see of each other
            beside causality, such as their own document; all when absent.
        return_attention_scores: whether to give the attention weights as well.

    Returns:
        logits `(B, T, V)` float32; with return_attention_scores a pair of them and a
        tuple of the weights of each block, pairs of `(B, N, T, T)` and `(B, N, T, S)`,
        or () without a memory.

    Examples:
        >>> config = preset("tiny", source_vocab_size=11, target_vocab_size=11)
        >>> decoder = Decoder(config)
        >>> tuple(decoder(np.array([[2, 6]]), np.ones((1, 3, 128))).shape)
        (1, 2, 11)

    Source: Vaswani et al. 2017, section 3.1.
    """

    side = "target"
    block = DecoderBlock

    def build(
        self,
        target_ids_shape,
        memory_shape=None,
        source_mask_shape=None,
        attention_mask_shape=None,
    ):
        self.build_stack(target_ids_shape, memory_shape)
        self.output_projection = None
        self.output_bias = None
        width = self.config.d_model
        if not self.config.tie_output:
            self.output_projection = self.make(
                Dense,
                self.classes,
                use_bias=False,
                kernel_initializer=keras.initializers.RandomNormal(stddev=width**-0.5),
                name="output_projection",
            )
            self.output_projection.build((*target_ids_shape, width))
        if self.config.output_bias:
            self.output_bias = self.add_weight(
                (self.classes,),
                "zeros",
                trainable=False,
                autocast=False,
                name="output_bias",
            )

    def call(
        self,
        target_ids,
        memory=None,
        source_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=False,
    ):
        scores = []
        index = 0
        if self.config.separate_documents:
            seen, index = documents(target_ids, self.config.begin_id)
            attention_mask = both(attention_mask, seen)
        positions = positions_of(target_ids[:1])
        bias = self.position_bias(positions, positions)

        def through_block(n, x):
            x = self.blocks[n](
                x,
                memory,
                attention_mask=attention_mask,
                cross_attention_mask=source_mask,
                position_bias=bias,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                scores.append(weights)
            return x

        x = self._forward(target_ids, index, through_block, training)
        if GIVES_STATES.get() is self:
            return x
        logits = self._logits(x)
        return (logits, tuple(scores)) if return_attention_scores else logits

    def step(self, target_ids, cache, index, cross_cache=None, source_mask=None):
        """The logits of T new positions, all of one document: `call` with caches.

        Args:
            target_ids: `(R, T)` the new ids; R is the B of the memory, or B times the
                hypotheses of each sentence.
            cache: `empty_cache(R, L)` at the start, then what the step before gave.
            index: the position of the first of the new ids, an integer or a scalar
                integer tensor.
            cross_cache: `cross_cache(memory)`, or None without a memory.
            source_mask: boolean `(B, 1, S)`, as for a call.

        Returns:
            `(logits (R, T, V) float32, cache)`.
        """
        x, cache = self._stepped(target_ids, cache, index, cross_cache, source_mask)
        return self._logits(x), cache

    def prefill(self, target_ids, cache):
        """The cache after the first T positions: `step` without logits."""
        _, cache = self._stepped(target_ids, cache, 0)
        return cache

    def _stepped(self, target_ids, cache, index, cross_cache=None, source_mask=None):
        """The last states of T new positions, and the cache with them."""
        new_caches = []
        positions = ops.arange(target_ids.shape[1]) + index
        # In an exported graph the length is a scalar tensor.
        places = ops.shape(cache[0][0])[2]
        mask = causal_mask(positions, places)
        bias = None
        if self.relative_bias is not None:
            keys = as_positions(places, "cache")
            bias = self.position_bias(ops.expand_dims(positions, 0), keys)

        def through_block(n, x):
            x, new = self.blocks[n].step(
                x,
                cache[n],
                index,
                cross_cache=() if cross_cache is None else cross_cache[n],
                attention_mask=mask,
                cross_attention_mask=source_mask,
                position_bias=bias,
            )
            new_caches.append(new)
            return x

        x = self._forward(target_ids, index, through_block)
        return x, tuple(new_caches)

    def _forward(self, target_ids, index, through_block, training=False):
        """The last states; `through_block(n, x)` gives the output of block n."""
        x = self.prepare(self.embedding(target_ids, index=index), training)
        for n in range(len(self.blocks)):
            x = through_block(n, x)
        return self.final_norm(x)

    def _logits(self, x):
        """The logits `(B, T, V)`, float32, of the last states."""
        if self.output_projection is None:
            logits = self.embedding.project(x)
        else:
            logits = ops.cast(self.output_projection(x), "float32")
        if self.output_bias is None:
            return logits
        return logits + self.output_bias

    @property
    def classes(self):
        """The number of logits V."""
        return self.config.side(self.side).vocab_size

    @property
    def has_plain_projection(self):
        """Whether logits are a product with what `projection` gives: no integers."""
        if self.output_projection is None:
            return self.embedding.has_plain_projection
        return self.output_projection.quantization_mode is None

    def projection(self):
        """The matrix `(V, D)` from states to logits, and the bias `(V,)` or None."""
        if self.output_projection is None:
            matrix = ops.convert_to_tensor(self.embedding.token_embedding.embeddings)
        else:
            matrix = ops.transpose(self.output_projection.kernel)
        if self.output_bias is None:
            return matrix, None
        return matrix, ops.cast(self.output_bias, "float32")

    def empty_cache(self, rows, length):
        """Room for the keys and values of `length` target positions of `rows` rows."""
        blocks = self.blocks
        return tuple(block.self_attention.empty_cache(rows, length) for block in blocks)

    def cross_cache(self, memory):
        """The keys and values of a memory `(B, S, D)` in every block.

        They are computed once a sentence, and read at every step.
        """
        return tuple(block.cross_attention.project(memory) for block in self.blocks)

    def compute_output_shape(self, target_ids_shape, *others, **other_shapes):
        return (*target_ids_shape, self.classes)

    def compute_output_spec(self, target_ids, *args, **kwargs):
        spec = super().compute_output_spec(target_ids, *args, **kwargs)
        if kwargs.get("return_attention_scores"):
            return spec
        return keras.KerasTensor(spec.shape, dtype="float32")
