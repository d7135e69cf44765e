"""Token ids to batches."""

from keras_transformer.data.batches import TokenBatches
from keras_transformer.data.corpus import FilterReport, read_pairs
from keras_transformer.data.examples import captions, multi30k
from keras_transformer.data.store import TokenStore

__all__ = [
    "FilterReport",
    "TokenBatches",
    "TokenStore",
    "captions",
    "multi30k",
    "read_pairs",
]
