"""The life of a whole model as Keras knows it."""

import gc
import importlib.util
import pickle
import shutil

import keras
import numpy as np
import pytest
from cases import CONFIG, ids
from keras import ops
from layer_checks import NOT_ON_JAX, ON_TORCH, marked, numpy

from keras_transformer.config import TrainingConfig
from keras_transformer.models.transformer import Transformer
from keras_transformer.training.recipe import compile_for_training

INPUTS = dict(source_ids=ids(8, 5), target_ids=ids(8, 3))
LABELS = ids(8, 3)


@pytest.fixture
def model():
    return Transformer(CONFIG)


@pytest.fixture
def compiled(model):
    return compile_for_training(model, TrainingConfig(warmup_updates=9))


def same(model, other):
    np.testing.assert_allclose(numpy(model(INPUTS)), numpy(other(INPUTS)), atol=1e-6)


@marked(ON_TORCH)
def test_configuration_and_json(model):
    copy = Transformer.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    same(model, copy)
    again = keras.models.model_from_json(model.to_json())
    again.set_weights(model.get_weights())
    same(model, again)
    assert again.config == CONFIG


def test_a_clone_has_as_many_weights(model):
    clone = keras.models.clone_model(model)
    assert clone.count_params() == model.count_params() == CONFIG.parameters
    clone.set_weights(model.get_weights())
    same(model, clone)


def test_pickle(model):
    same(model, pickle.loads(pickle.dumps(model)))


def test_weights_are_saved_and_loaded(model, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    other = Transformer(CONFIG)
    other.load_weights(tmp_path / "model.weights.h5")
    same(model, other)


def test_summary_and_picture(model, tmp_path):
    lines = []
    model.summary(print_fn=lines.append)
    assert f"{CONFIG.parameters:,}" in "\n".join(lines)
    if importlib.util.find_spec("pydot") is None or shutil.which("dot") is None:
        pytest.skip("plot_model needs pydot and Graphviz")
    keras.utils.plot_model(model, tmp_path / "model.png", show_shapes=True)
    assert (tmp_path / "model.png").stat().st_size > 1000


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
@pytest.mark.parametrize("options", [{}, dict(tie_output=False, norm_first=True)])
def test_int8_is_saved_and_loaded(options, tmp_path):
    import dataclasses

    model = Transformer(dataclasses.replace(CONFIG, **options))
    gc.freeze()
    model.quantize("int8")
    gc.unfreeze()
    loaded = model
    for _ in range(2):
        loaded.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(numpy(model(INPUTS)), numpy(loaded(INPUTS)))
    assert any(weight.dtype == "int8" for weight in loaded.weights)


@marked(ON_TORCH)
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
def test_int4_is_saved_and_loaded_and_other_quantizers_are_refused(model, tmp_path):
    gc.freeze()
    model.quantize("int4")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numpy(model(INPUTS)), numpy(loaded(INPUTS)))
    other = Transformer(CONFIG)
    weights = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    other.quantize(config=weights)
    gc.unfreeze()
    with pytest.raises(ValueError, match="must have the usual quantizers of its mode"):
        other.save(tmp_path / "model.keras")


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")
@pytest.mark.parametrize("lora_first", [True, False])
def test_lora_and_int8_are_saved_and_loaded(model, tmp_path, lora_first):
    before = numpy(model(INPUTS))
    if lora_first:
        model.enable_lora(2)
    gc.freeze()
    model.quantize("int8")
    gc.unfreeze()
    if not lora_first:
        model.enable_lora(2)
    for weight in model.trainable_variables:
        weight.assign(np.full(weight.shape, 0.2))
    expected = numpy(model(INPUTS))
    assert np.abs(expected - before).max() > 0.5
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(INPUTS)), expected, atol=0.1)
    assert any(weight.dtype == "int8" for weight in loaded.weights)


def lora_layers(model):
    kinds = (keras.layers.Dense, keras.layers.Embedding)
    return [layer for layer in model._flatten_layers() if isinstance(layer, kinds)]


@marked(NOT_ON_JAX)
def test_lora_is_trained_saved_loaded_and_merged(compiled, tmp_path):
    before = compiled.get_weights()
    layers = lora_layers(compiled)
    assert len(layers) == 4 + 2 + 8 + 2 + 1
    for layer in layers:
        layer.enable_lora(2)
    compile_for_training(compiled, TrainingConfig(warmup_updates=1))
    compiled.fit(INPUTS, LABELS, epochs=2, verbose=0)
    frozen = [layer.kernel for layer in layers if hasattr(layer, "kernel")]
    output = numpy(compiled(INPUTS))
    assert len(compiled.get_weights()) > len(before)
    assert frozen
    compiled.save(tmp_path / "model.keras")  # merged: it opens without LoRA
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(INPUTS)), output, atol=1e-5)
    assert len(loaded.get_weights()) == len(before)


@pytest.mark.parametrize("format", ["tf_saved_model"])
def test_export(model, tmp_path, format):
    if keras.backend.backend() == "torch":
        with pytest.raises(Exception, match="KERAS_BACKEND=tensorflow"):
            model.export(tmp_path / "export", format=format, verbose=False)
        return
    import tensorflow as tf

    model.export(tmp_path / "export", format=format, verbose=False)
    loaded = tf.saved_model.load(tmp_path / "export")
    served = np.asarray(loaded.serve(INPUTS))
    np.testing.assert_allclose(served, numpy(model(INPUTS)), atol=1e-5)
    # An id that no token has is refused, or NaN where JAX wrote the graph.
    wrong = {**INPUTS, "source_ids": np.where(INPUTS["source_ids"] == 0, 4, -1)}
    if keras.backend.backend() == "jax":
        assert np.isnan(np.asarray(loaded.serve(wrong))).all()
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match="indices"):
        loaded.serve(wrong)


class Batches(keras.utils.PyDataset):
    """Two batches."""

    def __len__(self):
        return 2

    def __getitem__(self, number):
        rows = slice(4 * number, 4 * number + 4)
        return {name: x[rows] for name, x in INPUTS.items()}, LABELS[rows]


def as_arrays():
    return dict(x=INPUTS, y=LABELS, batch_size=4, shuffle=False)


def as_py_dataset():
    return dict(x=Batches(), shuffle=False)


def as_generator():
    def endless():
        while True:
            yield from (Batches()[0], Batches()[1])

    return dict(x=endless(), steps_per_epoch=2)


def as_tf_data():
    tf = pytest.importorskip("tensorflow")
    return dict(x=tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(4))


def as_data_loader():
    torch = pytest.importorskip("torch")

    def row(n):
        return {name: x[n] for name, x in INPUTS.items()}, LABELS[n]

    rows = [row(n) for n in range(len(LABELS))]
    return dict(x=torch.utils.data.DataLoader(rows, batch_size=4))


@pytest.mark.parametrize(
    "feed", [as_arrays, as_py_dataset, as_generator, as_tf_data, as_data_loader]
)
def test_fit_takes_what_keras_takes(feed):
    keras.utils.set_random_seed(7)
    model = compile_for_training(Transformer(CONFIG), TrainingConfig(warmup_updates=9))
    start = [np.full_like(w, 0.1) for w in model.get_weights()]
    model.set_weights(start)
    history = model.fit(**feed(), epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert history["nats"][1] < history["nats"][0]
    assert int(model.optimizer.iterations) == 4


@marked(ON_TORCH)
def test_keras_callbacks(compiled, tmp_path):
    callbacks = [
        keras.callbacks.EarlyStopping("loss", patience=1),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="loss"),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
    ]
    if importlib.util.find_spec("tensorflow"):
        callbacks.append(keras.callbacks.TensorBoard(tmp_path / "board"))
    compiled.fit(INPUTS, LABELS, epochs=3, callbacks=callbacks, verbose=0)
    loaded = keras.models.load_model(tmp_path / "best.keras")
    same(compiled, loaded)
    loaded.fit(INPUTS, LABELS, verbose=0)


def test_the_loss_has_the_same_scale_whatever_the_batch():
    source_ids = ids(64, 5)
    target_ids = ids(64, 3)
    labels = ids(64, 3)
    inputs = dict(source_ids=source_ids, target_ids=target_ids)
    model = compile_for_training(Transformer(CONFIG))
    losses = [
        model.evaluate(inputs, labels, batch_size=size, return_dict=True, verbose=0)
        for size in (4, 16, 64)
    ]
    found = [loss["loss"] for loss in losses]
    np.testing.assert_allclose(found, found[0], rtol=1e-4)
    assert 1 < found[0] < 4


def test_float_ids(model):
    floats = {name: x.astype("float32") for name, x in INPUTS.items()}
    np.testing.assert_array_equal(numpy(model(floats)), numpy(model(INPUTS)))
    assert ops.is_tensor(model(floats))
