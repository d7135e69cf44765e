import numpy as np
from layer_checks import ON_TORCH, numpy, randomise

from keras_transformer.config import CausalLMConfig
from keras_transformer.evaluation.perplexity import packable
from keras_transformer.models.causal_lm import CausalLM
from keras_transformer.runs.archive import quantize

pytestmark = ON_TORCH


def test_an_imported_model_in_int8_reads_rows_of_documents():
    """It was made for one text a row, and is made again for several."""
    sizes = dict(num_layers=1, d_model=8, d_ff=12, num_heads=2)
    config = CausalLMConfig(vocab_size=30, separate_documents=False, **sizes)
    model = randomise(CausalLM(config), 0)
    quantize(model, "int8")
    ids = np.array([[2, 5, 9, 7]])
    found = numpy(packable(model, "int8")(ids))
    np.testing.assert_allclose(found, numpy(model(ids)), atol=1e-5)
