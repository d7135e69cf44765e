"""Batches that become smaller on the way, once that is worth a compilation."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding import compiled
from keras_transformer.decoding.searcher import Searcher
from keras_transformer.decoding.translation_search import TranslationSearch
from keras_transformer.text.special_tokens import END

CALLS = 4


def test_sentences_that_are_over_leave_the_batch(model, monkeypatch):
    monkeypatch.setattr(compiled, "WITHOUT", CALLS - 1)
    searcher = Searcher(TranslationSearch(model, DecodingConfig(beam=2)), model, 8)
    rows = []
    select = searcher._select

    def selected(request, state, chosen):
        rows.append(len(chosen))
        return select(request, state, chosen)

    monkeypatch.setattr(searcher, "_select", selected)
    random = np.random.default_rng(5)
    source_ids = random.integers(5, 20, (8, 6)).astype("int32")
    source_ids[:, -1] = END
    max_lengths = np.array([1, 7, 1, 5, 1, 1, 9, 1], "int32")
    arrays = [ops.convert_to_tensor(array) for array in (source_ids, max_lengths)]
    ids, scores = searcher(*arrays)
    begun = list(rows)
    # Elsewhere nothing is compiled for it, or not at once.
    assert bool(begun) == (keras.backend.backend() != "jax")
    for _ in range(CALLS - 1):
        again, scores_again = searcher(*arrays)
        assert np.array_equal(again, ids)
        assert scores_again == pytest.approx(scores, rel=3e-6)
    assert rows[-2:] == [4, 1]
    for own, limit in zip(ids[:, 0], max_lengths):
        assert 1 <= np.count_nonzero(own) <= limit
