"""The layers assembled: encoder, decoder, and the functional Keras model of both."""

from keras_transformer.models.decoder import Decoder
from keras_transformer.models.encoder import Encoder
from keras_transformer.models.transformer import Transformer

__all__ = ["Decoder", "Encoder", "Transformer"]
