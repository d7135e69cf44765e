"""The layers assembled: encoder, decoder, and the functional Keras model of both."""

# Before our own modules: the import of Keras imports all that it must know of ours.
import keras  # noqa: F401, I001

from keras_transformer.models.decoder import Decoder
from keras_transformer.models.encoder import Encoder
from keras_transformer.models.transformer import Transformer

__all__ = ["Decoder", "Encoder", "Transformer"]
