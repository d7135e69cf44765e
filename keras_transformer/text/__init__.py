"""Text to token ids and back."""

from keras_transformer.text.fsmt_tokenizer import FsmtTokenizer
from keras_transformer.text.lines import read_lines
from keras_transformer.text.marian_tokenizer import MarianTokenizer
from keras_transformer.text.multilingual_tokenizer import MultilingualTokenizer
from keras_transformer.text.tokenizer import Tokenizer

__all__ = ["FsmtTokenizer", "MarianTokenizer", "MultilingualTokenizer", "Tokenizer", "read_lines"]
