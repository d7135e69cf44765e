"""A trained run as what production engines read. Each function checks what it wrote before it appears."""

from keras_transformer.export.ctranslate2_translator import CTranslate2Translator
from keras_transformer.export.to_ctranslate2 import ctranslate2
from keras_transformer.export.to_huggingface import huggingface
from keras_transformer.export.to_onnx import onnx
from keras_transformer.export.to_saved_model import saved_model

__all__ = ["CTranslate2Translator", "ctranslate2", "huggingface", "onnx", "saved_model"]
