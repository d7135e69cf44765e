"""The whole model as a functional `keras.Model`."""

import keras

from ..config import TransformerConfig, expect_kind
from ..layers.masks import padding_mask
from .configured_model import ConfiguredModel
from .decoder import Decoder
from .encoder import Encoder
from .stack import ConfiguredLayer, make_embedding


@keras.saving.register_keras_serializable("keras_transformer")
class EncoderDecoder(ConfiguredLayer):
    """An `Encoder` and a `Decoder` that share what their config says.

    They are one layer: `keras.models.clone_model` copies layer by layer, and two copies
    would not share the embedding any more. Inputs and logits are those of
    `Transformer`.
    """

    def __init__(self, config, **kwargs):
        expect_kind("config", config, TransformerConfig)
        super().__init__(config, **kwargs)
        options = self.handed_on
        source_embedding = make_embedding(config, "source", **options)
        target_embedding = source_embedding
        if not config.shares_positions:
            shared = None
            if config.share_embeddings:
                source_embedding.build()
                shared = source_embedding.token_embedding
            target_embedding = make_embedding(config, "target", shared, **options)
        self.encoder = Encoder(config, source_embedding, name="encoder", **options)
        self.decoder = Decoder(config, target_embedding, name="decoder", **options)

    def build(self, source_ids_shape, target_ids_shape):
        self.encoder.build(source_ids_shape)
        memory_shape = (*source_ids_shape, self.config.d_model)
        self.decoder.build(target_ids_shape, memory_shape)

    def call(self, source_ids, target_ids, training=False):
        source_mask = padding_mask(source_ids, self.config.pad_id)
        memory = self.encoder(source_ids, source_mask, training=training)
        return self.decoder(target_ids, memory, source_mask, training=training)

    def compute_output_shape(self, source_ids_shape, target_ids_shape):
        return (*target_ids_shape, self.config.target_vocab_size)

    def compute_output_spec(self, source_ids, target_ids, training=False):
        return self.decoder.compute_output_spec(target_ids, source_ids)


@keras.saving.register_keras_serializable("keras_transformer")
class Transformer(ConfiguredModel):
    """The encoder-decoder Transformer, ready for `compile`, `fit`, `save` and the rest.

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

    Examples:
        >>> config = preset("tiny", source_vocab_size=11, target_vocab_size=11)
        >>> source_ids, target_ids = np.array([[4, 5, 3]]), np.array([[2, 6]])
        >>> model = Transformer(config)
        >>> tuple(model({"source_ids": source_ids, "target_ids": target_ids}).shape)
        (1, 2, 11)

    Source: Vaswani et al. 2017, figure 1.
    """

    def __init__(self, config, dtype=None, name="transformer", **kwargs):
        layer = EncoderDecoder(config, dtype=dtype, name="encoder_decoder")
        source_ids = keras.Input((None,), dtype="int32", name="source_ids")
        target_ids = keras.Input((None,), dtype="int32", name="target_ids")
        inputs = {"source_ids": source_ids, "target_ids": target_ids}
        logits = layer(source_ids, target_ids)
        super().__init__(layer, inputs=inputs, outputs=logits, name=name, **kwargs)

    @property
    def blocks(self):
        return (*self.encoder.blocks, *self.decoder.blocks)

    @property
    def encoder(self):
        """The `Encoder`: source ids -> memory."""
        return self.get_layer("encoder_decoder").encoder

    @property
    def decoder(self):
        """The `Decoder`: target ids and memory -> logits."""
        return self.get_layer("encoder_decoder").decoder
