"""A preset translates as its run does, and is trained as KerasHub's are."""

import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
import small
from checkpoints import generate, importing
from keras import ops
from layer_checks import NOT_ON_JAX, ON_TORCH, marked

keras_hub = pytest.importorskip("keras_hub")
from keras_transformer import Translator, kerashub, pretrained  # noqa: E402
from keras_transformer.cli.main import main  # noqa: E402
from keras_transformer.config import DecodingConfig  # noqa: E402
from keras_transformer.kerashub.presets import task_of  # noqa: E402
from keras_transformer.models.transformer import Transformer  # noqa: E402
from keras_transformer.runs.run import Run  # noqa: E402

LINES = ["A man rides a bike.", "", "Two dogs play in the snow.", " \u200b ", "a"]
TARGETS = ["Ein Mann fährt Rad.", "", "Zwei Hunde.", "", "ein"]
SHORT = 6
# Each beam is compiled twice elsewhere, which says nothing more.
BEAMS = (1, 4) if keras.backend.backend() == "torch" else (4,)


@pytest.fixture
def lm(preset):
    return keras_hub.models.Seq2SeqLM.from_preset(str(preset))


def check_strings(run, lm, lines=LINES, beams=BEAMS):
    for beam in beams:
        search = "beam" if beam > 1 else "greedy"
        decoding = DecodingConfig(search=search, beam=beam, extra_length=SHORT)
        expected = Translator.load(run, decoding)(lines)
        sampler = kerashub.TransformerBeamSampler(beam, extra_length=SHORT)
        lm.compile(sampler=sampler)
        assert lm.generate(lines) == expected
        assert lm.generate(lines[0]) == expected[0]
    return expected


@marked(NOT_ON_JAX)
@pytest.mark.every_backend
def test_strings_are_the_translators(trained, lm):
    found = check_strings(trained, lm)
    assert found[1] == found[3] == ""


def test_a_prefix_begins_the_translation(trained, lm):
    decoding = DecodingConfig(extra_length=SHORT)
    translator = Translator.load(trained, decoding)
    found = translator.hypotheses(LINES[:1], prefixes=["Ein Mann"])
    lm.compile(sampler=kerashub.TransformerBeamSampler(extra_length=SHORT))
    given = {"encoder_text": LINES[0], "decoder_text": "Ein Mann"}
    assert lm.generate(given) == found[0][0].text
    assert found[0][0].text.startswith("Ein Mann")


def test_kerashubs_samplers_leave_blank_lines_empty(lm):
    for sampler in ("greedy", "beam", "top_k"):
        lm.compile(sampler=sampler)
        found = lm.generate(LINES[:2], max_length=12)
        assert found[1] == ""
    with pytest.raises(ValueError, match="sampler must be one that needs no hidden"):
        lm.compile(sampler="contrastive")


def test_the_command_and_the_way_back(trained, tmp_path, capsys):
    out = str(tmp_path / "preset")
    main(["export", str(trained), out, "--to", "kerashub"])
    assert "largest difference of logits" in capsys.readouterr().out
    back = tmp_path / "back"
    kerashub.to_run(out, back)
    pairs = zip(Run.open(back).model().weights, Run.open(trained).model().weights)
    for found, expected in pairs:
        np.testing.assert_array_equal(
            *map(keras.ops.convert_to_numpy, (found, expected))
        )


@marked(ON_TORCH)
def test_half_precision_and_what_is_kept_of_a_run(trained, tmp_path, monkeypatch):
    """What is compared is float32, whatever the run's dtype and the global policy."""
    old = Run.open(trained)
    few = dict(positions="learned", max_positions=20)  # so that texts end soon
    settings = dataclasses.replace(
        old.config,
        model=dataclasses.replace(old.config.model, **few),
        data=dataclasses.replace(old.config.data, max_length=300),
        training=dataclasses.replace(old.config.training, dtype="mixed_bfloat16"),
        origin={"source": "someone/opus-mt-xx-yy"},
        languages=["en", "de"],
    )
    (tmp_path / "half").mkdir()
    half = Run.begin(tmp_path / "half", settings, old.tokenizers)
    half.save_model(Transformer(settings.model))
    read = Run.model
    asked = []

    def model(run, dtype=None):
        asked.append(dtype)
        return read(run, dtype)

    monkeypatch.setattr(Run, "model", model)
    keras.config.set_dtype_policy("mixed_bfloat16")
    kerashub.from_run(half.path, tmp_path / "preset")
    kerashub.to_run(tmp_path / "preset", tmp_path / "back")
    assert {*asked} == {"float32"}
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    found = Run.open(tmp_path / "back")
    assert found.config.origin == settings.origin
    assert found.config.languages == settings.languages
    assert found.search().longest_source == half.search().longest_source == 300


def test_no_translation_goes_beyond_the_table_of_positions(trained, tmp_path):
    old = Run.open(trained)
    table = dict(positions="learned", max_positions=20)
    model = Transformer(dataclasses.replace(old.config.model, **table))
    settings = dataclasses.replace(old.config, model=model.config)
    run = Run.begin(tmp_path, settings, old.tokenizers)
    run.save_model(model)
    lm = task_of(run)
    must = "max_length must be at most 21, by the model's table of positions; received"
    with pytest.raises(ValueError, match=f"{must} 60"):
        lm.generate(LINES, max_length=60)
    with pytest.raises(ValueError, match=f"{must} 22"):
        lm.generate(LINES, max_length=22)
    assert len(lm.generate(LINES, max_length=21)) == len(LINES)
    lm.fit({"encoder_text": LINES, "decoder_text": ["ein " * 90] * 5}, verbose=0)


def test_what_was_saved_in_mixed_precision_becomes_a_run(preset, tmp_path):
    half = keras_hub.models.Seq2SeqLM.from_preset(str(preset), dtype="mixed_bfloat16")
    half.save_to_preset(str(tmp_path / "half"))
    kerashub.to_run(tmp_path / "half", tmp_path / "run")
    weights = zip(Run.open(tmp_path / "run").model().weights, half.backbone.weights)
    for found, expected in weights:
        np.testing.assert_array_equal(
            ops.convert_to_numpy(found), ops.convert_to_numpy(expected)
        )


def test_a_fresh_process_imports_it_when_it_is_asked_and_opens_a_preset(
    trained, preset
):
    code = (
        "import sys, keras_transformer as k\n"
        f"k.Run.open({str(trained)!r}).translator()\n"
        "assert 'keras_hub' not in sys.modules\n"
        "import keras_hub\n"
        f"lm = keras_hub.models.Seq2SeqLM.from_preset({str(preset)!r})\n"
        "assert type(lm).__name__ == 'TransformerSeq2SeqLM'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


PAIRS = {"encoder_text": LINES, "decoder_text": TARGETS}


class Pairs(keras.utils.PyDataset):
    """The same pairs, twice; it counts the epochs that it is told of."""

    epochs = 0

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return PAIRS

    def on_epoch_end(self):
        self.epochs += 1


@pytest.fixture
def short(lm):
    """A model whose batches are narrow."""
    lm.preprocessor.encoder_sequence_length = 40
    lm.preprocessor.decoder_sequence_length = 40
    return lm


def test_fits_on_strings(short):
    import tensorflow as tf

    assert short.optimizer.beta_2 == 0.98
    assert short.loss.smoothing == 0.1
    data = tf.data.Dataset.from_tensor_slices(PAIRS).batch(5)
    by_tf_data = short.evaluate(data, verbose=0)
    by_py_dataset = short.evaluate(Pairs(), verbose=0)
    np.testing.assert_allclose(by_py_dataset, by_tf_data, rtol=1e-5)
    pairs = Pairs(workers=2)
    every = dict(epochs=2, verbose=0)
    first = short.fit(pairs, validation_data=data, **every).history
    assert pairs.epochs >= 2  # Keras may tell it once more
    assert first["val_loss"][1] < first["val_loss"][0] < by_tf_data[0]
    then = short.fit(data, validation_data=Pairs(), **every).history
    assert then["val_loss"][1] < then["val_loss"][0] < first["val_loss"][1]


def test_a_py_dataset_beside_arrays(short):
    kept = short.fit(Pairs(), validation_data=PAIRS, verbose=0).history
    expected = short.evaluate(Pairs(), verbose=0)
    np.testing.assert_allclose(kept["val_loss"], expected[:1], rtol=1e-5)
    found = short.predict(Pairs(), verbose=0)
    inputs, _, _ = short.preprocessor(PAIRS)
    logits = short.backbone.predict(inputs, verbose=0)
    np.testing.assert_allclose(found, np.concatenate([logits, logits]), atol=1e-5)
    with pytest.raises(ValueError, match="x must be a dataset where validation_data"):
        short.fit(PAIRS, validation_data=Pairs(), verbose=0)


def test_lora_is_trained_saved_loaded_and_merged(preset, short, tmp_path):
    lm = short
    lm.backbone.enable_lora(2)
    lm.compile(optimizer=keras.optimizers.Adam(0.01))
    frozen = keras.ops.convert_to_numpy(lm.backbone.token_embedding.embeddings)
    inputs, _, _ = lm.preprocessor(PAIRS)
    before = lm.backbone.predict(inputs, verbose=0)
    lm.fit(Pairs(), epochs=2, verbose=0)
    after = lm.backbone.predict(inputs, verbose=0)
    assert np.abs(after - before).max() > 1e-3
    now = keras.ops.convert_to_numpy(lm.backbone.token_embedding.embeddings)
    np.testing.assert_array_equal(now, frozen)
    lm.backbone.save_lora_weights(str(tmp_path / "a.lora.h5"))
    other = keras_hub.models.Seq2SeqLM.from_preset(str(preset))
    other.backbone.load_lora_weights(str(tmp_path / "a.lora.h5"))
    found = other.backbone.predict(inputs, verbose=0)
    np.testing.assert_array_equal(found, after)
    lm.save_to_preset(str(tmp_path / "merged"))
    merged = keras_hub.models.Seq2SeqLM.from_preset(str(tmp_path / "merged"))
    found = merged.backbone.predict(inputs, verbose=0)
    np.testing.assert_allclose(found, after, atol=1e-5)
    kerashub.to_run(tmp_path / "merged", tmp_path / "run")
    made = Run.open(tmp_path / "run").config
    assert made.origin == {"source": str(tmp_path / "merged")}
    assert made.data.max_length == lm.preprocessor.encoder_sequence_length == 40


def test_int8_is_saved_and_loaded(lm, tmp_path):
    lm.quantize("int8")
    expected = lm.generate(LINES)
    lm.save_to_preset(str(tmp_path / "int8"))
    loaded = keras_hub.models.Seq2SeqLM.from_preset(str(tmp_path / "int8"))
    assert loaded.generate(LINES) == expected
    with pytest.raises(ValueError, match="preset must be not quantized"):
        kerashub.to_run(tmp_path / "int8", tmp_path / "run")


@pytest.fixture(scope="session")
def imported(tmp_path_factory):
    return importing(tmp_path_factory, max_position_embeddings=160)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["marian", "m2m_100", "nllb", "mbart"])
def test_imported_checkpoints_become_presets(imported, family, tmp_path):
    made = imported(family)
    kerashub.from_run(made.run, tmp_path / "preset")
    lm = keras_hub.models.Seq2SeqLM.from_preset(str(tmp_path / "preset"))
    found = check_strings(made.run, lm, LINES, beams=(1,))
    translator = Translator.load(made.run)
    for number in (0, 2, 4):
        theirs = generate(made, LINES[number], translator.sentence_format, SHORT)
        ids = theirs.sequences[0, 1:].tolist()
        assert [found[number]] == translator.target_tokenizer.decode([ids])


@pytest.mark.parametrize(
    ("family", "languages"),
    [
        ("m2m_100", ("de", "fr")),
        pytest.param("nllb", ("deu_Latn", "eng_Latn"), marks=pytest.mark.slow),
    ],
)
def test_other_languages_than_those_of_the_import(
    imported, family, languages, tmp_path
):
    made = imported(family)
    lm = task_of(Run.open(made.run))
    pretrained.load(made.checkpoint, tmp_path / "run", *languages)
    decoding = DecodingConfig(beam=1, extra_length=SHORT)
    expected = Translator.load(tmp_path / "run", decoding)(LINES)
    lm.compile(sampler=kerashub.TransformerBeamSampler(1, extra_length=SHORT))
    source, target = languages
    given = {"encoder_text": LINES, "source_lang": source, "target_lang": target}
    before = dict(given)
    assert lm.generate(given) == expected != lm.generate(LINES)
    assert given == before
    one = {"target_lang": target, "source_lang": source, "encoder_text": LINES[0]}
    assert lm.generate(one) == expected[0]
    for side in ("source_lang", "target_lang"):
        with pytest.raises(ValueError, match=f"{side} must be .*; received 'xx'"):
            lm.generate({**given, side: "xx"})


def test_languages_that_cannot_be_chosen(imported, lm):
    given = {"encoder_text": LINES, "target_lang": "de"}
    with pytest.raises(ValueError, match="target_lang must be absent without lang"):
        lm.generate(given)
    with pytest.raises(ValueError, match="target_lang must be one language for all"):
        lm.generate({**given, "target_lang": ["de", "fr", "de", "de", "de"]})
    mbart = task_of(Run.open(imported("mbart").run))
    with pytest.raises(ValueError, match="target_lang must be the language of the im"):
        mbart.generate({**given, "target_lang": "en_XX"})
    with pytest.raises(ValueError, match="decoder_text must be one prefix for each"):
        lm.generate({"encoder_text": LINES, "decoder_text": "Ein"})


def test_a_prefix_that_cannot_be_spelled(lm):
    given = {"encoder_text": LINES[:2], "decoder_text": ["Ein", "Ein ☃ im"]}
    with pytest.raises(ValueError, match="decoder_text must be spelled .* 'Ein ☃ im'"):
        lm.generate(given)
    with pytest.raises(ValueError, match="decoder_text must be spelled .*; received"):
        lm.generate({"encoder_text": LINES[0], "decoder_text": "☃"})
    import tensorflow as tf

    batches = tf.data.Dataset.from_tensor_slices(given).batch(2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="decoder_text must be"):
        list(batches.map(lm.preprocessor.generate_preprocess))


def test_arguments_that_are_mistaken(lm):
    for given in ([], {"encoder_text": []}, np.array([], dtype=str)):
        with pytest.raises(ValueError, match="encoder_text must hold at least one te"):
            lm.generate(given)
    with pytest.raises(ValueError, match="strip_prompt must be False"):
        lm.generate(LINES, strip_prompt=True)
    with pytest.raises(TypeError, match="positional arguments"):
        lm.fit(PAIRS, None, 32)  # Keras's batch_size


def test_fsmt_is_refused(imported, tmp_path):
    with pytest.raises(
        ValueError, match="tokenizer must be of sentencepiece or .*fsmt"
    ):
        kerashub.from_run(imported("fsmt").run, tmp_path / "preset")
    assert small.contents(tmp_path) == {}


def test_a_beam_out_of_range():
    with pytest.raises(ValueError, match="beam must be between 1 and 1000; received 0"):
        kerashub.TransformerBeamSampler(num_beams=0)
    sampler = kerashub.TransformerBeamSampler(2, penalty="power")
    again = type(sampler).from_config(sampler.get_config())
    assert again.get_config() == sampler.get_config()
