"""What encoder and decoder have in common: an embedding and a stack of blocks."""

import dataclasses

import keras

from ..config import TransformerConfig
from ..layers.positional_embedding import PositionalEmbedding
from ..layers.transformer_layer import TransformerLayer


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


class Configured:
    """What a Keras object that a `TransformerConfig` describes has in common."""

    def get_config(self):
        return {**super().get_config(), "config": dataclasses.asdict(self.config)}

    @classmethod
    def from_config(cls, config):
        own = TransformerConfig(**config["config"])
        return super().from_config({**config, "config": own})


class ConfiguredLayer(Configured, TransformerLayer):
    """A layer that reads ids, and that a `TransformerConfig` describes."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        # Half precision cannot tell large ids apart.
        self.autocast = False
        self.config = config

    def rematerialized_call(self, layer_call, *args, **kwargs):
        # Under a `RematScope` each block is computed again.
        return layer_call


class Stack(ConfiguredLayer):
    """An embedding, dropout, blocks, and the layer norms before and after the blocks.

    A subclass says which `side` it reads, and gives `make_blocks`.
    """

    side = None

    def __init__(self, config, embedding=None, **kwargs):
        super().__init__(config, **kwargs)
        self.shares_embedding = embedding is not None
        if embedding is None:
            embedding = make_embedding(config, self.side, dtype=self.dtype_policy)
        self.embedding = embedding
        self.drop = self.make(keras.layers.Dropout, config.dropout, name="drop")
        self.blocks = self.make_blocks()
        self.embedding_norm = self._norm("embedding_norm", config.embedding_norm)
        self.final_norm = self._norm("final_norm", config.has_final_norm)

    def stacked(self, kind, number, d_ff):
        """That many blocks of a kind."""
        config = self.config
        options = dict(
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
            dtype=self.dtype_policy,
        )
        return [kind(**options, name=f"block_{n}") for n in range(number)]

    def _norm(self, name, is_wanted):
        if not is_wanted:
            return self.make(keras.layers.Identity, name=name)
        epsilon = self.config.layer_norm_epsilon
        return self.make(keras.layers.LayerNormalization, epsilon=epsilon, name=name)

    def build_stack(self, ids_shape, *memory_shape):
        """Build every part for ids `(B, T)`."""
        shape = (*ids_shape, self.config.d_model)
        if not self.embedding.built:
            self.embedding.build(ids_shape)
        self.embedding_norm.build(shape)
        self.final_norm.build(shape)
        for block in self.blocks:
            block.build(shape, *memory_shape)

    def embed(self, ids, index=0, training=False):
        """What the first block reads: `(B, T, D)` of ids `(B, T)`."""
        x = self.embedding_norm(self.embedding(ids, index=index))
        return self.drop(x, training=training)

    def get_config(self):
        shared = self.embedding if self.shares_embedding else None
        serialized = keras.saving.serialize_keras_object(shared)
        return {**super().get_config(), "embedding": serialized}

    @classmethod
    def from_config(cls, config):
        shared = keras.saving.deserialize_keras_object(config["embedding"])
        return super().from_config({**config, "embedding": shared})
