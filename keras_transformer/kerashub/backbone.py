"""Our encoder and decoder as a KerasHub backbone."""

import keras
from keras import ops
from keras_hub.models import Backbone

from ..models.stack import Configured
from ..models.transformer import EncoderDecoder


@keras.saving.register_keras_serializable("keras_transformer")
class TransformerBackbone(Configured, Backbone):
    """The encoder-decoder Transformer as KerasHub's tasks take it.

    Its weights are those of a `Transformer` of the same config, in the same order, and
    it gives logits: its output projection is mostly the embedding itself.

    Args:
        config: a `TransformerConfig`.
        dtype: Keras dtype policy; the global one when absent.

    Inputs:
        a dictionary of `encoder_token_ids (B, S)` and `decoder_token_ids (B, T)`, each
        with its mask, `encoder_padding_mask` and `decoder_padding_mask`, true at the
        real tokens.

    Returns:
        logits `(B, T, V)`, float32.

    Example (needs a preset):
        backbone = TransformerBackbone.from_preset("preset")
        backbone.enable_lora(8)

    Source: Vaswani et al. 2017, figure 1.
    """

    def __init__(self, config, dtype=None, **kwargs):
        layer = EncoderDecoder(config, dtype=dtype, name="encoder_decoder")
        inputs = {}
        for side in ("encoder", "decoder"):
            for name, kind in (("token_ids", "int32"), ("padding_mask", "bool")):
                name = f"{side}_{name}"
                inputs[name] = keras.Input((None,), dtype=kind, name=name)
        source_ids = self._padded(inputs, "encoder", config.pad_id)
        target_ids = self._padded(inputs, "decoder", config.pad_id)
        outputs = layer(source_ids, target_ids)
        super().__init__(
            inputs=inputs, outputs=outputs, dtype=layer.dtype_policy, **kwargs
        )
        self.config = config
        self.encoder = layer.encoder
        self.decoder = layer.decoder
        embedding = layer.encoder.embedding
        self.token_embedding = embedding.token_embedding

    def _padded(self, inputs, side, pad):
        mask = ops.cast(inputs[f"{side}_padding_mask"], "bool")
        return ops.where(mask, inputs[f"{side}_token_ids"], pad)
