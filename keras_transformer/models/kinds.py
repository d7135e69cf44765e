"""The model that a configuration describes."""

from ..config import CausalLMConfig, TransformerConfig
from .causal_lm import CausalLM
from .transformer import Transformer

KINDS = {TransformerConfig: Transformer, CausalLMConfig: CausalLM}


def model_of(config, dtype=None):
    """A new model, as its configuration says."""
    return KINDS[type(config)](config, dtype=dtype)
