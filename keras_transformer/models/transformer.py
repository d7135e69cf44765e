"""The whole model as a functional `keras.Model`."""

import keras

from ..config import config_from, expect
from ..layers.masks import padding_mask
from .decoder import Decoder
from .encoder import Encoder
from .stack import ConfiguredLayer, make_embedding


@keras.saving.register_keras_serializable("keras_transformer")
class EncoderDecoder(ConfiguredLayer):
    """An `Encoder` and a `Decoder` that share what their config says.

    They are one layer: `keras.models.clone_model` copies layer by layer, and two copies
    would not share the embedding any more.

    Args:
        config: a `TransformerConfig`.

    Call arguments:
        source_ids: `(B, S)`, target_ids: `(B, T)`, as in `Transformer`.

    Returns:
        logits `(B, T, V)`, float32.
    """

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        policy = self.dtype_policy
        source_embedding = make_embedding(config, "source", dtype=policy)
        target_embedding = source_embedding
        if not config.shares_positions:
            shared = None
            if config.share_embeddings:
                source_embedding.build()
                shared = source_embedding.token_embedding
            target_embedding = make_embedding(config, "target", shared, policy)
        self.encoder = Encoder(config, source_embedding, dtype=policy, name="encoder")
        self.decoder = Decoder(config, target_embedding, dtype=policy, name="decoder")

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
class Transformer(keras.Model):
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

    lora_rank = None  # that of `enable_lora`

    def __init__(self, config, dtype=None, name="transformer", **kwargs):
        layer = EncoderDecoder(config, dtype=dtype, name="encoder_decoder")
        source_ids = keras.Input((None,), dtype="int32", name="source_ids")
        target_ids = keras.Input((None,), dtype="int32", name="target_ids")
        inputs = {"source_ids": source_ids, "target_ids": target_ids}
        logits = layer(source_ids, target_ids)
        super().__init__(inputs=inputs, outputs=logits, name=name, **kwargs)
        self.config = config
        # `compile` reads from it whether the loss needs scaling.
        self.dtype_policy = layer.dtype_policy

    @property
    def encoder(self):
        """The `Encoder`: source ids -> memory."""
        return self.get_layer("encoder_decoder").encoder

    @property
    def decoder(self):
        """The `Decoder`: target ids and memory -> logits."""
        return self.get_layer("encoder_decoder").decoder

    def rematerialized_call(self, layer_call, *args, **kwargs):
        return layer_call  # as in `EncoderDecoder`

    def enable_lora(self, rank):
        """Freeze all weights, and let two small matrices learn beside blocks' kernels.

        `W + A B`, with `W (I, O)` frozen, `A (I, rank)` random and `B (rank, O)` zero
        at first. Compile the model afterwards. It is saved as `W + A B`, without LoRA.

        Args:
            rank: the width of A and the height of B, d_model at most.

        Raises:
            ValueError: if the rank is out of range, or there is LoRA already.

        Examples:
            >>> config = preset("tiny", source_vocab_size=11, target_vocab_size=11)
            >>> model = Transformer(config)
            >>> model.enable_lora(2)
            >>> len(model.trainable_variables)  # of 8 blocks with 4, 4 and 2 kernels
            128

        Source: Hu et al. 2021, section 4.1; beside all kernels, as in Dettmers et al.
        2023 (QLoRA), section 4.
        """
        most = self.config.d_model
        what = f"be between 1 and d_model={most}"
        expect(1 <= rank <= most, "lora_rank", what, rank)
        frozen = self.variables
        for layer in self._block_kernels():
            layer.enable_lora(rank)
        for variable in frozen:
            variable.trainable = False
        self.lora_rank = rank

    def _block_kernels(self):
        """The layers of the blocks that have a kernel."""
        for block in (*self.encoder.blocks, *self.decoder.blocks):
            for layer in block._flatten_layers():
                if isinstance(layer, keras.layers.Dense):
                    yield layer

    def save(self, *args, **kwargs):
        """Save as `keras.Model.save` does; what LoRA learned is added in float32."""
        # Keras would store these kernels in the type that a layer computes in.
        adapted = [*self._block_kernels()] if self.lora_rank else []
        policies = [layer.dtype_policy for layer in adapted]
        try:
            for layer in adapted:
                layer.dtype_policy = "float32"
            super().save(*args, **kwargs)
        finally:
            for layer, policy in zip(adapted, policies):
                layer.dtype_policy = policy

    def export(self, filepath, format="tf_saved_model", **options):
        """Write the forward pass as `keras.Model.export` does, where that is right.

        `keras_transformer.export` writes translation itself, with search and tokenizer.

        Raises:
            ValueError: on the torch backend, whose exports have static shapes only.
        """
        if keras.backend.backend() == "torch":
            raise ValueError(
                f"format={format!r} cannot be written on the torch backend, where "
                "lengths would be fixed: save the model, then load and export it with "
                "KERAS_BACKEND=tensorflow, or call keras_transformer.export on a run"
            )
        super().export(filepath, format=format, **options)

    def get_config(self):
        config = self.get_layer("encoder_decoder").get_config()
        return {**config, "name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**{**config, "config": config_from(config["config"])})
