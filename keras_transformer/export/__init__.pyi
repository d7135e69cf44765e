from .ctranslate2_translator import CTranslate2Translator as CTranslate2Translator
from .to_ctranslate2 import ctranslate2 as ctranslate2
from .to_huggingface import huggingface as huggingface
from .to_keras import keras as keras
from .to_onnx import onnx as onnx
from .to_saved_model import saved_model as saved_model
