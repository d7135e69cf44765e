"""Other people's weights: a checkpoint of Hugging Face's as an ordinary run."""

from keras_transformer.pretrained.load import load

__all__ = ["load"]
