"""The layers assembled: encoder, decoder, and the functional Keras model of both."""

# Before our own modules: the import of Keras imports all that it must know of ours.
import keras  # noqa: I001

from .causal_lm import CausalLM
from .decoder import Decoder
from .encoder import Encoder
from .heads import MaskedLanguageModel
from .transformer import Transformer
