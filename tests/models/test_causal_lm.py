"""A language model: documents of a row are apart, steps are calls, files keep it."""

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH, marked, numpy, randomise, whole

from keras_transformer.config import CausalLMConfig, config_from, preset
from keras_transformer.models.causal_lm import CausalLM

B = 3
T = 7
V = 19
BEGIN = 2
PAD = 0
SIZES = dict(vocab_size=V, num_layers=2, d_model=14, d_ff=17, num_heads=2)
SIZES |= dict(key_dim=6, value_dim=6, dropout=0.0)
SWITCHES = {
    "paper": dict(),
    "gpt2": dict(
        norm_first=True,
        positions="learned",
        max_positions=T,
        attention_bias=True,
        activation="gelu_tanh",
        scale_embedding=False,
    ),
    "llama": dict(
        norm="rms",
        norm_first=True,
        gated=True,
        feed_forward_bias=False,
        positions="rotary",
        num_key_value_heads=1,
        tie_output=False,
    ),
    "relative": dict(positions="relative", relative_buckets=4, relative_distance=5),
    "window": dict(window=2, output_bias=True),
}


def make(name="paper", **changes):
    config = CausalLMConfig(**{**SIZES, **SWITCHES[name], **changes})
    return randomise(CausalLM(config), 0)


def draw(rows=B, length=T):
    """Ids of rows that begin a document, and hold no other."""
    ids = np.random.default_rng(3).integers(4, V, (rows, length)).astype("int32")
    ids[:, 0] = BEGIN
    return ids


@pytest.mark.parametrize("name", SWITCHES)
def test_a_document_is_the_same_in_a_packed_row_and_alone(name):
    model = make(name)
    first = draw(1, 3)
    second = draw(1, 2)
    second[0, 1] = 5
    fill = np.full((1, 2), PAD, "int32")
    row = np.concatenate([first, second, fill], axis=1)
    call = whole(model, model)
    found = numpy(call(row))
    assert found.shape == (1, 7, V) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, :3], numpy(call(first)), atol=2e-5)
    np.testing.assert_allclose(found[:, 3:5], numpy(call(second)), atol=2e-5)
    together = make(name, separate_documents=False)
    together.set_weights(model.get_weights())
    other = numpy(whole(together, together)(row))
    np.testing.assert_allclose(other[:, :3], found[:, :3], atol=2e-5)
    assert np.abs(other[:, 3:5] - found[:, 3:5]).max() > 1e-2


@pytest.mark.parametrize("name", SWITCHES)
def test_a_prefill_and_steps_equal_one_call(name):
    model = make(name)
    decoder = model.decoder
    ids = draw()
    prefill = whole(decoder.prefill, decoder)
    step = whole(decoder.step, decoder)
    cache = prefill(ids[:, :3], decoder.empty_cache(B, T))
    found = []
    for index in range(3, T):
        place = ops.convert_to_tensor(index, dtype="int32")
        logits, cache = step(ids[:, index : index + 1], cache, place)
        found.append(numpy(logits))
    found = np.concatenate(found, axis=1)
    expected = numpy(whole(model, model)(ids))
    np.testing.assert_allclose(found, expected[:, 3:], atol=2e-5)


@pytest.mark.parametrize("name", SWITCHES)
def test_parameters(name):
    model = make(name)
    assert model.count_params() == model.config.parameters
    assert config_from(model.get_config()["config"]) == model.config


def test_fit_save_and_load(tmp_path):
    from keras_transformer.training.recipe import compile_for_training

    model = make(pad_id=-1)
    compile_for_training(model)
    ids = draw()
    labels = np.concatenate([ids[:, 1:], np.full((B, 1), -1, "int32")], axis=1)
    before = numpy(model(ids))
    (loss,) = model.fit(ids, labels, verbose=0).history["nats"]
    rows = np.log(np.exp(before - before.max(-1, keepdims=True)).sum(-1))
    scores = rows[..., None] + before.max(-1, keepdims=True) - before
    real = np.take_along_axis(scores, np.maximum(labels, 0)[..., None], 2)[:, :-1]
    assert loss == pytest.approx(real.mean(), abs=1e-4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert type(loaded) is CausalLM and loaded.config == model.config
    np.testing.assert_allclose(numpy(loaded(ids)), numpy(model(ids)), atol=1e-6)


@pytest.mark.parametrize("name", [pytest.param("llama", marks=ON_TORCH)])
def test_lora_learns_beside_all_kernels(name):
    model = make(name)
    model.enable_lora(2)
    kernels = SIZES["num_layers"] * 7
    assert len(model.trainable_variables) == 2 * kernels


@marked(ON_TORCH)
def test_presets_and_refusals():
    config = preset("tiny", CausalLMConfig, vocab_size=V)
    assert (config.num_layers, config.d_model) == (4, 128)
    assert CausalLMConfig(pad_id=-1).pad_id == -1
    with pytest.raises(ValueError, match="pad_id must be between 0 and 7999"):
        CausalLMConfig(pad_id=-2)
    with pytest.raises(ValueError, match="begin_id must be between 0 and 7999"):
        CausalLMConfig(begin_id=-1)
    with pytest.raises(ValueError, match="pad_id must not be end_id"):
        CausalLMConfig(pad_id=3)
    with pytest.raises(ValueError, match="pad_id must be between 0 and 7999"):
        preset("tiny", pad_id=-1)
