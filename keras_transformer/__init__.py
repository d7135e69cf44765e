"""The Transformer of "Attention Is All You Need" in Keras 3: trained, checked and served on TensorFlow, JAX or PyTorch.

Names are imported when they are first used: `import keras_transformer` starts no backend.
"""

import importlib

_HOMES = {
    "config": ("DataConfig", "DecodingConfig", "TrainingConfig", "TransformerConfig", "preset"),
    "text": ("Tokenizer",),
    "data": ("TokenBatches", "TokenStore", "captions", "multi30k"),
    "layers": (
        "DecoderBlock",
        "EncoderBlock",
        "FeedForward",
        "MultiHeadAttention",
        "PositionalEmbedding",
        "causal_mask",
        "padding_mask",
    ),
    "models": ("Transformer",),
    "engine": ("Hypothesis",),
    "decoding": ("Attention", "BeamStep", "Translator"),
    "distribution": ("distribute",),
    "evaluation": ("BleuCallback", "corpus_scores", "evaluate"),
    "training": (
        "LabelSmoothedCrossEntropy",
        "Perplexity",
        "TokenAccuracy",
        "TokenCrossEntropy",
        "WarmupSchedule",
        "average_weights",
        "paper_adam",
        "train",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)
__version__ = "0.1.0"


def __getattr__(name):
    # Their names are short: `export.onnx` says what `onnx` alone would not.
    if name in ("export", "plots", "pretrained"):
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__():
    return __all__
