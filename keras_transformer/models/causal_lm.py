"""A decoder without memory as a functional `keras.Model`: a language model."""

import keras

from ..config import CausalLMConfig, expect_kind
from .configured_model import ConfiguredModel
from .decoder import Decoder


@keras.saving.register_keras_serializable("keras_transformer")
class CausalLM(ConfiguredModel):
    """A language model: each position gives the logits of the next token.

    A row may hold several documents. With the config's `separate_documents` each
    `begin_id` begins another one: it sees nothing of those before it, and its positions
    are counted from 0, so that its logits are those that it has alone. What fills up a
    row on the right changes nothing before it.

    Args:
        config: a `CausalLMConfig`.
        dtype: Keras dtype policy of all layers, such as `"mixed_bfloat16"`; the global
            policy when absent.

    Inputs:
        token_ids `(B, T)`, integer ids; the labels are the tokens that follow, and
        where nothing counts the config's `pad_id`.

    Returns:
        logits `(B, T, V)`, float32.

    Examples:
        >>> config = preset("tiny", CausalLMConfig, vocab_size=11)
        >>> model = CausalLM(config)
        >>> tuple(model(np.array([[2, 5, 7, 2, 8]])).shape)
        (1, 5, 11)

    Source: Radford et al. 2019 (GPT-2); Touvron et al. 2023 (Llama).
    """

    def __init__(self, config, dtype=None, name="causal_lm", **kwargs):
        expect_kind("config", config, CausalLMConfig)
        layer = Decoder(config, dtype=dtype, name="decoder")
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        logits = layer(token_ids)
        super().__init__(layer, inputs=token_ids, outputs=logits, name=name, **kwargs)

    @property
    def decoder(self):
        """The `Decoder`: ids -> logits, all at once or step by step."""
        return self.get_layer("decoder")

    @property
    def blocks(self):
        return self.decoder.blocks
