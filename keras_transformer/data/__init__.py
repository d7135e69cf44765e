"""Token ids to batches."""

from keras_transformer.data.batches import TokenBatches
from keras_transformer.data.corpus import FilterReport, TokenStore, read_lines, read_pairs
from keras_transformer.data.examples import captions, multi30k

__all__ = ["FilterReport", "TokenBatches", "TokenStore", "captions", "multi30k", "read_lines", "read_pairs"]
