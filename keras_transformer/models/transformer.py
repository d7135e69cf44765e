"""The whole model as a functional `keras.Model`."""

import dataclasses

import keras

from keras_transformer.config import TransformerConfig
from keras_transformer.layers.masks import padding_mask
from keras_transformer.layers.positional_embedding import PositionalEmbedding
from keras_transformer.models.decoder import Decoder
from keras_transformer.models.encoder import Encoder


@keras.saving.register_keras_serializable("keras_transformer")
class Transformer(keras.Model):
    """The encoder-decoder Transformer, ready for `compile`, `fit`, `evaluate`, `save` and `keras.models.load_model`.

    Args:
        config: a `TransformerConfig`.
        dtype: Keras dtype policy of all layers, such as `"mixed_bfloat16"`; the global
            policy when absent.

    Inputs:
        a dictionary of `source_ids (B, S)` and `target_ids (B, T)`, integer ids padded
        with the config's `pad_id` on the right; the target begins with `begin_id` and
        ends before the end token (it is the labels shifted right).

    Returns:
        logits `(B, T, V)`, float32.

    Example:
        >>> model = Transformer(preset("tiny", source_vocab_size=11, target_vocab_size=11))
        >>> tuple(model({"source_ids": np.array([[4, 5, 3]]), "target_ids": np.array([[2, 6]])}).shape)
        (1, 2, 11)

    Source: Vaswani et al. 2017, figure 1.
    """

    def __init__(self, config, dtype=None, name="transformer", **kwargs):
        def embedding(name, vocab_size):
            names = ("positions", "max_positions", "first_position")
            options = {option: getattr(config, option) for option in names}
            options |= {
                "scale": config.scale_embedding,
                "two_tables": config.has_two_tables,
            }
            # A begin token that is padding learns nothing as such: all other padding
            # has no gradient anyway.
            options |= {
                "frozen_id": config.pad_id if config.begin_id == config.pad_id else None
            }
            return PositionalEmbedding(
                vocab_size, config.d_model, **options, dtype=dtype, name=name
            )

        target_embedding = embedding(
            "embedding" if config.share_embeddings else "target_embedding",
            config.target_vocab_size,
        )
        source_embedding = target_embedding
        if not config.share_embeddings:
            source_embedding = embedding("source_embedding", config.source_vocab_size)
        encoder = Encoder(config, source_embedding, dtype=dtype, name="encoder")
        decoder = Decoder(config, target_embedding, dtype=dtype, name="decoder")

        source_ids = keras.Input((None,), dtype="int32", name="source_ids")
        target_ids = keras.Input((None,), dtype="int32", name="target_ids")
        source_mask = padding_mask(source_ids, config.pad_id)
        memory = encoder(source_ids, source_mask)
        logits, _ = decoder(target_ids, memory, source_mask)
        inputs = {"source_ids": source_ids, "target_ids": target_ids}
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)
        # After super().__init__: the torch backend tracks sub-modules only from then
        # on.
        self.config, self.encoder, self.decoder = config, encoder, decoder
        # From it `compile` knows whether the loss needs scaling.
        self.dtype_policy = encoder.dtype_policy

    def get_config(self):
        return {
            "config": dataclasses.asdict(self.config),
            "dtype": self.dtype_policy.name,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(
            TransformerConfig(**config["config"]),
            dtype=config["dtype"],
            name=config["name"],
        )
