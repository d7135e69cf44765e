"""What encoder and decoder have in common: an embedding and a stack of blocks."""

import dataclasses

import keras

from ..config import TransformerConfig
from ..layers.positional_embedding import PositionalEmbedding
from ..layers.transformer_layer import TransformerLayer


def block_options(config, d_ff):
    """The arguments that both kinds of blocks take from a `TransformerConfig`."""
    return dict(
        num_heads=config.num_heads,
        key_dim=config.key_dim or config.head_size,
        value_dim=config.value_dim or config.head_size,
        d_ff=d_ff,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
        activation=config.activation,
        norm_first=config.norm_first,
        use_bias=config.attention_bias,
        layer_norm_epsilon=config.layer_norm_epsilon,
    )


def make_embedding(config, side, token_embedding=None, dtype=None):
    """The `PositionalEmbedding` of a config's `"source"` or `"target"` ids."""
    # A begin token that is padding learns nothing as such; all other padding has no
    # gradient anyway.
    begins_with_padding = config.begin_id == config.pad_id
    return PositionalEmbedding(
        getattr(config, f"{side}_vocab_size"),
        config.d_model,
        positions=config.positions,
        max_positions=config.max_positions,
        first_position=config.first_position,
        scale=config.scale_embedding,
        frozen_id=config.pad_id if begins_with_padding else None,
        token_embedding=token_embedding,
        dtype=dtype,
        name=f"{side}_embedding",
    )


class Stack(TransformerLayer):
    """An embedding, dropout, blocks, and the layer norms before and after the blocks.

    A subclass says which `side` it reads, and gives `make_blocks`.
    """

    side = None

    def __init__(self, config, embedding=None, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False  # half precision cannot tell large ids apart
        self.config = config
        self.shares_embedding = embedding is not None
        if embedding is None:
            embedding = make_embedding(config, self.side, dtype=self.dtype_policy)
        self.embedding = embedding
        self.drop = self.make(keras.layers.Dropout, config.dropout, name="drop")
        self.blocks = self.make_blocks()
        self.embedding_norm = self._norm("embedding_norm", config.embedding_norm)
        self.final_norm = self._norm("final_norm", config.has_final_norm)

    def _norm(self, name, is_wanted):
        if not is_wanted:
            return None
        epsilon = self.config.layer_norm_epsilon
        return self.make(keras.layers.LayerNormalization, epsilon=epsilon, name=name)

    def build_stack(self, ids_shape, *memory_shape):
        """Build every part for ids `(B, T)`."""
        shape = (*ids_shape, self.config.d_model)
        if not self.embedding.built:
            self.embedding.build(ids_shape)
        for norm in (self.embedding_norm, self.final_norm):
            if norm is not None:
                norm.build(shape)
        for block in self.blocks:
            block.build(shape, *memory_shape)

    def embed(self, ids, index=0, training=False):
        """What the first block reads: `(B, T, D)` of ids `(B, T)`."""
        x = self.embedding(ids, index=index)
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        return self.drop(x, training=training)

    def normalize(self, x):
        """What the last block's output becomes."""
        return x if self.final_norm is None else self.final_norm(x)

    def rematerialized_call(self, layer_call, *args, **kwargs):
        return layer_call  # under a `RematScope` each block is computed again

    def get_config(self):
        shared = self.embedding if self.shares_embedding else None
        return {
            **super().get_config(),
            "config": dataclasses.asdict(self.config),
            "embedding": keras.saving.serialize_keras_object(shared),
        }

    @classmethod
    def from_config(cls, config):
        own = TransformerConfig(**config["config"])
        shared = keras.saving.deserialize_keras_object(config["embedding"])
        return cls(**{**config, "config": own, "embedding": shared})
