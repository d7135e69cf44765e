"""The base class of encoder and decoder: an embedding and a stack of blocks."""

import dataclasses

import keras

from ..config import config_from
from ..layers.dropout import Dropout
from ..layers.positional_embedding import PositionalEmbedding
from ..layers.relative_bias import RelativeBias
from ..layers.residual import NORMS
from ..layers.transformer_layer import TransformerLayer, shared_config

# The fields that a config and a block have under one name.
SAME_NAME = (
    "num_heads",
    "num_key_value_heads",
    "dropout",
    "attention_dropout",
    "activation",
    "gated",
    "feed_forward_bias",
    "norm",
    "norm_first",
    "layer_norm_epsilon",
    "window",
)


def make_embedding(config, side, token_embedding=None, **options):
    """The `PositionalEmbedding` of a config's `"source"` or `"target"` ids."""
    # A begin token that is padding learns nothing as such; all other padding has no
    # gradient anyway.
    begins_with_padding = config.begin_id == config.pad_id
    vocab_size = config.side(side).vocab_size
    return PositionalEmbedding(
        vocab_size,
        config.d_model,
        positions=config.table,
        max_positions=config.max_positions,
        first_position=config.first_position,
        scale=config.scale_embedding,
        frozen_id=config.pad_id if begins_with_padding else None,
        token_embedding=token_embedding,
        name=f"{side}_embedding",
        **options,
    )


class Configured:
    """Saves a Keras object by its config, and makes it again from that."""

    def get_config(self):
        return {**super().get_config(), "config": dataclasses.asdict(self.config)}

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "config": config_from(config["config"])})


class ConfiguredLayer(Configured, TransformerLayer):
    """A layer that reads ids, and that a config describes."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        # Half precision cannot tell large ids apart.
        self.autocast = False
        self.keep(locals())

    def rematerialized_call(self, layer_call, *args, **kwargs):
        # Under a `RematScope` each block is computed again.
        return layer_call


class Stack(ConfiguredLayer):
    """An embedding, dropout, blocks, and the norms before and after the blocks.

    A subclass says which `side` it reads, and the kind of its blocks.
    """

    side = None
    block = None

    def __init__(self, config, embedding=None, **kwargs):
        super().__init__(config, **kwargs)
        self.shares_embedding = embedding is not None
        if embedding is None:
            embedding = make_embedding(config, self.side, **self.handed_on)
        self.embedding = embedding
        self.drop = self.make(Dropout, config.dropout, name="drop")
        self.blocks = self.make_blocks()
        self.relative_bias = self._relative_bias()
        self.embedding_norm = self._norm("embedding_norm", config.embedding_norm)
        self.final_norm = self._norm("final_norm", config.has_final_norm)

    def make_blocks(self):
        """The blocks of this side, as the config says."""
        config = self.config
        side = config.side(self.side)
        key_dim, value_dim = config.head_sizes
        rotary = None
        if config.positions == "rotary":
            rotary = (config.rotary_base, config.rotary_factor, config.rotary_length)
        same = {name: getattr(config, name) for name in SAME_NAME}
        # Not by `make`: under a `RematScope` each block is computed again.
        return [
            self.block(
                key_dim=key_dim,
                value_dim=value_dim,
                d_ff=side.d_ff,
                use_bias=config.attention_bias,
                rotary=rotary,
                name=f"block_{n}",
                **same,
                **self.handed_on,
            )
            for n in range(side.num_layers)
        ]

    def _relative_bias(self):
        """The layer that gives the blocks' `position_bias`, or None."""
        config = self.config
        if config.positions != "relative":
            return None
        return self.make(
            RelativeBias,
            config.num_heads,
            config.relative_buckets,
            config.relative_distance,
            bidirectional=self.side == "source",
            name="relative_bias",
        )

    def position_bias(self, queries, keys):
        """The bias of the scores of integer positions, or None."""
        if self.relative_bias is None:
            return None
        return self.relative_bias(queries, keys)

    def _norm(self, name, is_wanted):
        """A norm of the config's kind; a layer that does nothing if none is wanted."""
        if not is_wanted:
            return self.make(keras.layers.Identity, name=name)
        kind = NORMS[self.config.norm]
        return self.make(kind, epsilon=self.config.layer_norm_epsilon, name=name)

    def build_stack(self, ids_shape, *memory_shape):
        """Build every part for ids `(B, T)`."""
        if not self.embedding.built:
            self.embedding.build(ids_shape)
        shape = self.embedding.compute_output_shape(ids_shape)
        if self.relative_bias is not None:
            self.relative_bias.build(ids_shape, ids_shape)
        self.embedding_norm.build(shape)
        self.final_norm.build(shape)
        for block in self.blocks:
            block.build(shape, *memory_shape)

    def prepare(self, x, training=False):
        """The input of the first block, from embedded ids; both are `(B, T, D)`."""
        return self.drop(self.embedding_norm(x), training=training)

    def get_config(self):
        shared = self.embedding if self.shares_embedding else None
        return {**super().get_config(), "embedding": shared_config(shared)}

    @classmethod
    def from_config(cls, config):
        shared = keras.saving.deserialize_keras_object(config["embedding"])
        return super().from_config({**config, "embedding": shared})
