"""Search for the best translation. The searches know a step function and a cache, not a model; `Translator` joins them.

A step is `step(ids (R,) int32, index () int32, cache) -> (logits (R, V), cache)`.
"""

from keras_transformer.decoding.attention import Attention
from keras_transformer.decoding.beam_search import beam_search
from keras_transformer.decoding.greedy import greedy
from keras_transformer.decoding.sampling import sampling
from keras_transformer.decoding.trace import BeamStep
from keras_transformer.decoding.translator import Translator

__all__ = ["Attention", "BeamStep", "Translator", "beam_search", "greedy", "sampling"]
