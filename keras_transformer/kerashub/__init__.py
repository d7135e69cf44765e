"""A run as a KerasHub preset, and back: KerasHub's names on our encoder and decoder."""

from ..process.extras import needed

needed("keras_hub", extra="kerashub")
# First, and not by the modules below: its import brings in all of them.
import keras_hub  # noqa: E402

from .backbone import TransformerBackbone  # noqa: E402
from .preprocessor import TransformerSeq2SeqLMPreprocessor  # noqa: E402
from .presets import from_run, to_run  # noqa: E402
from .sampler import TransformerBeamSampler  # noqa: E402
from .seq_2_seq_lm import TransformerSeq2SeqLM  # noqa: E402
from .tokenizer import TransformerTokenizer  # noqa: E402

__all__ = [
    "TransformerBackbone",
    "TransformerBeamSampler",
    "TransformerSeq2SeqLM",
    "TransformerSeq2SeqLMPreprocessor",
    "TransformerTokenizer",
    "from_run",
    "to_run",
]
