"""The life of each layer as Keras knows it: build, configure, save, share, quantize."""

import gc
import pickle

import keras
import numpy as np
import pytest
from cases import CONFIG, LAYERS, ids, normal
from keras import ops
from keras.src.testing import TestCase
from layer_checks import NOT_ON_JAX, ON_TORCH, marked, numpy

from keras_transformer.models.transformer import Transformer

every_layer = pytest.mark.parametrize("name", LAYERS)


def made(name, **options):
    """A new layer, and the arrays to call it on."""
    kind, arguments, arrays = LAYERS[name]
    return kind(**arguments, **options), arrays


def called(name, **options):
    """A layer that was called, its arrays and what it gave."""
    layer, arrays = made(name, **options)
    return layer, arrays, layer(**arrays)


@keras.saving.register_keras_serializable("tests")
class Around(keras.Model):
    """A sub-classed model that holds one of our layers."""

    def __init__(self, layer_name, **options):
        super().__init__(**options)
        self.layer_name = layer_name
        self.layer, _ = made(layer_name)

    def call(self, inputs):
        return self.layer(**inputs)

    def get_config(self):
        return {"layer_name": self.layer_name, "name": self.name}


@marked(NOT_ON_JAX)
@pytest.mark.parametrize("name", [n for n in LAYERS if len(LAYERS[n][2]) == 1])
def test_keras_own_exam(name):
    kind, arguments, arrays = LAYERS[name]
    (array,) = arrays.values()
    _, _, output = called(name)
    TestCase().run_layer_test(
        kind,
        arguments,
        input_data=ops.convert_to_tensor(array),
        expected_output_shape=tuple(output.shape),
        supports_masking=True,
    )


@marked(NOT_ON_JAX)
@pytest.mark.parametrize("name", [n for n in LAYERS if len(LAYERS[n][2]) == 2])
def test_keras_own_exam_of_a_layer_with_two_inputs(name):
    kind, arguments, arrays = LAYERS[name]
    _, _, output = called(name)
    TestCase().run_layer_test(
        kind,
        arguments,
        input_shape={f"{key}_shape": x.shape for key, x in arrays.items()},
        input_dtype={f"{key}_shape": x.dtype.name for key, x in arrays.items()},
        expected_output_shape=tuple(output.shape),
        supports_masking=True,
        run_training_check=False,  # it hands a dictionary to one argument
    )


@every_layer
def test_a_configuration_makes_an_equal_layer(name):
    layer, arrays, output = called(name)
    copy = type(layer).from_config(layer.get_config())
    copy(**arrays)
    copy.set_weights(layer.get_weights())
    np.testing.assert_allclose(numpy(copy(**arrays)), numpy(output), atol=1e-6)
    assert copy.get_config() == layer.get_config()


@every_layer
def test_a_sub_classed_model_loads_what_it_saved(name, tmp_path):
    model = Around(name)
    arrays = made(name)[1]
    output = model(arrays)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(arrays)), numpy(output), atol=1e-6)


@every_layer
def test_a_layer_is_pickled_in_a_model(name):
    model, arrays = functional(name)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(numpy(again(arrays)), numpy(model(arrays)), atol=1e-6)


def functional(name, layer=None, **options):
    """A functional model around one layer, and the arrays to call it on."""
    if layer is None:
        layer, arrays = made(name, **options)
    arrays = LAYERS[name][2]
    inputs = {
        key: keras.Input((None, *x.shape[2:]), dtype=x.dtype.name, name=key)
        for key, x in arrays.items()
    }
    return keras.Model(inputs, layer(**inputs)), arrays


@every_layer
def test_two_models_share_a_layer(name):
    layer, arrays = made(name)
    first, _ = functional(name, layer)
    second, _ = functional(name, layer)
    weights = [weight + 0.5 for weight in first.get_weights()]
    first.set_weights(weights)
    np.testing.assert_allclose(numpy(second(arrays)), numpy(first(arrays)), atol=1e-6)


@every_layer
def test_a_clone_is_an_equal_model(name):
    model, arrays = functional(name)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(numpy(clone(arrays)), numpy(model(arrays)), atol=1e-6)


@pytest.fixture
def few_objects():
    """Keras collects garbage for each weight that it replaces: that is to be quick."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
@every_layer
def test_a_quantized_model_is_saved_and_loaded(name, tmp_path, few_objects):
    # Of six seeds one gave, on JAX, a layer norm a vector that is nearly constant: its
    # output then is whatever rounding makes of it.
    keras.utils.set_random_seed(2)
    model, arrays = functional(name)
    before = numpy(model(arrays))
    model.quantize("int8")
    output = numpy(model(arrays))
    assert np.abs(output - before).max() < 0.1 * np.abs(before).max() + 0.05
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(arrays)), output, atol=1e-6)
    kinds = {weight.dtype for weight in loaded.weights}
    assert ("int8" in kinds) == (name not in ("Residual", "RelativeBias"))


@marked(ON_TORCH)
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_quantized_layers_of_a_sequential_model_are_loaded(tmp_path, few_objects):
    embedding = LAYERS["PositionalEmbedding"][0](11, 6)
    model = keras.Sequential([embedding, LAYERS["EncoderBlock"][0](3, 5, 7)])
    inputs = np.array([[4, 5, 0]])
    model(inputs)
    model.quantize("int8")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(inputs)), numpy(model(inputs)), atol=1e-6)
    for layer in loaded._flatten_layers():
        if isinstance(layer, (keras.layers.Dense, keras.layers.Embedding)):
            assert layer.quantization_mode == "int8"


def test_a_quantized_part_is_found_by_its_whole_path():
    """As older files name it."""
    path = "block/feed_forward/expand"
    policies = keras.dtype_policies.DTypePolicyMap("float32")
    policies[path] = "int8_from_float32"
    block = LAYERS["EncoderBlock"][0](3, 5, 7, dtype=policies, name="block")
    block.build((2, 4, 6))
    quantized = [x.path for x in block._flatten_layers() if x.quantization_mode]
    assert quantized == [path]


@every_layer
def test_a_frozen_layer_is_frozen_when_it_is_made_again(name):
    layer, arrays, _ = called(name)
    number = len(layer.trainable_variables)
    layer.trainable = False
    copy = type(layer).from_config(layer.get_config())
    copy(**arrays)
    model, _ = functional(name, copy)
    assert not model.trainable_variables
    copy.trainable = True
    assert len(copy.trainable_variables) == number


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@every_layer
def test_a_mixed_policy(name, policy):
    layer, _, output = called(name, dtype=policy)
    half = policy.removeprefix("mixed_")
    is_logits = name in ("Decoder", "EncoderDecoder", "MaskedLanguageModel")
    dtype = keras.backend.standardize_dtype(output.dtype)
    assert dtype == ("float32" if is_logits else half)
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert np.isfinite(numpy(output)).all()


def fitted(model, inputs):
    """The weights of a model after two updates."""
    target = normal(*model(inputs).shape)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(inputs, target, epochs=2, batch_size=2, verbose=0)
    return model.get_weights()


@marked(NOT_ON_JAX)
@pytest.mark.parametrize("name", ["DecoderBlock", "Encoder", "MultiHeadAttention"])
def test_a_layer_made_in_a_remat_scope_learns_the_same(name):
    weights = []
    for mode in (None, "full"):
        keras.utils.set_random_seed(3)
        with keras.RematScope(mode=mode):
            layer, _ = made(name)
        weights.append(fitted(*functional(name, layer)))
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_model_made_in_a_remat_scope_learns_the_same():
    inputs = dict(source_ids=ids(2, 5), target_ids=ids(2, 4))
    weights = []
    for mode in (None, "full"):
        keras.utils.set_random_seed(3)
        with keras.RematScope(mode=mode):
            model = Transformer(CONFIG)
        weights.append(fitted(model, inputs))
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("name", ["MultiHeadAttention", "EncoderBlock", "FeedForward"])
def test_time_distributed(name):
    layer, arrays, output = called(name)
    (x,) = arrays.values()
    distributed = keras.layers.TimeDistributed(layer)
    outputs = distributed(np.stack([x, 2 * x], axis=1))
    np.testing.assert_allclose(numpy(outputs)[:, 0], numpy(output), atol=1e-5)
    assert distributed.compute_output_shape((2, 3, *x.shape[1:])) == (
        2,
        3,
        *x.shape[1:],
    )


def test_a_sequential_model():
    model = keras.Sequential(
        [
            LAYERS["PositionalEmbedding"][0](11, 6, mask_zero=True),
            LAYERS["EncoderBlock"][0](3, 5, 7),
            LAYERS["MultiHeadAttention"][0](3, 5),
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    assert tuple(model(np.array([[4, 5, 0]])).shape) == (1, 6)
