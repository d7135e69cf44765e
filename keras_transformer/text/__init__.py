"""Text to token ids and back."""

from keras_transformer.text.lines import read_lines
from keras_transformer.text.tokenizer import Tokenizer

__all__ = ["Tokenizer", "read_lines"]
