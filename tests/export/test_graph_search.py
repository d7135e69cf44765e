import keras
import numpy as np
import pytest
import small
from layer_checks import numpy, translate_ids

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.ensemble import Ensemble
from keras_transformer.decoding.translation_search import TranslationSearch
from keras_transformer.models.transformer import Transformer

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a graph of TensorFlow"
)
LENGTHS = (5, 12)
# What the sentences have room for: they end after 3, 7 and 12 tokens.
LIMITS = np.array([3, 12, 3, 3, 7, 0, 3, 3, 12, 3, 7], "int32")


@pytest.mark.parametrize("count", [1, 2])
def test_sentences_that_are_over_leave_the_batch(count):
    from keras_transformer.export.graph_search import GraphSearch

    models = [Transformer(small.MODEL) for _ in range(count)]
    model = Ensemble(models) if count > 1 else models[0]
    config = DecodingConfig(beam=2)
    random = np.random.default_rng(0)
    sources = random.integers(5, 20, (len(LIMITS), 7), "int32")
    expected = translate_ids(model, config, sources, LIMITS, lengths=LENGTHS)
    search = GraphSearch(TranslationSearch(model, config), LENGTHS, sizes=(1, 2, 5, 8))
    batches = []
    advance = search.advance

    def recorded(request, state, length, fewer):
        keys = keras.tree.flatten(state.cache)[0]
        batches.append((len(state.last), keys.shape[-2]))
        return advance(request, state, length, fewer)

    search.advance = recorded
    ids, scores = search(*map(keras.ops.convert_to_tensor, (sources, LIMITS)))
    assert batches == [(11, 5), (5, 5), (5, 12), (2, 12)]
    np.testing.assert_array_equal(numpy(ids), numpy(expected[0]))
    np.testing.assert_allclose(numpy(scores), numpy(expected[1]), atol=1e-5)
