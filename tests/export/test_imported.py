"""Imported models as exports, opened by the engines that they are for."""

import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from checkpoints import importing  # noqa: E402
from layer_checks import ON_TORCH, numpy  # noqa: E402
from making import SIZES, make_run, sentences  # noqa: E402
from tokenizer_folders import FOLDERS, read, write  # noqa: E402

from keras_transformer import Translator, export, pretrained  # noqa: E402
from keras_transformer.config import DecodingConfig, TransformerConfig  # noqa: E402
from keras_transformer.export import CTranslate2Translator  # noqa: E402
from keras_transformer.export.export_directory import check_model  # noqa: E402
from keras_transformer.export.to_ctranslate2 import specification  # noqa: E402
from keras_transformer.export.to_huggingface import write_again  # noqa: E402
from keras_transformer.pretrained.tokenizers.load import load_tokenizers  # noqa: E402
from keras_transformer.runs.run import Run  # noqa: E402

# Arrays are written, whatever backend has them.
pytestmark = ON_TORCH
TEXTS = [
    *sentences(12, seed=4),
    "The quick brown fox is not afraid.",
    "Zwölf Boxkämpfer, </s> ja!",
    "",
]
SEARCH = dict(extra_length=6, max_source_length=30)


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """The checkpoint, its model and the run of one of `FOLDERS`; each made once.

    Their random weights are the same on every processor. In the searches below the
    first choice is ahead of the second by 2e-3 or more.
    """
    sizes = dict(encoder_layers=1, decoder_layers=2)
    return importing(tmp_path_factory, empty_pad=True, **sizes)


def slow(*names):
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


# By CTranslate2, which has no relative positions.
HELD = [name for name in [*FOLDERS][1:] if name != "t5"]


@pytest.mark.parametrize("name", ["marian", *slow(*HELD)])
def test_ctranslate2(run_of, name, tmp_path):
    run = run_of(name).run
    check = export.ctranslate2(run, tmp_path / "out", **SEARCH)
    assert check.largest_difference < 1e-5
    # What we never generate has places in CTranslate2's beam, and mbart's random model
    # often writes it: another hypothesis may win there.
    beams = [] if name == "mbart" else [dict(beam=4)]
    for how in (dict(search="greedy"), *beams):
        ours = Translator.load(
            run, DecodingConfig(**SEARCH, **how, penalty="power")
        ).hypotheses(TEXTS)
        engine = CTranslate2Translator.load(tmp_path / "out", **how)
        theirs = [found[0] for found in engine.hypotheses(TEXTS)]
        ours = [found[0] for found in ours]
        assert [best.ids for best in theirs] == [best.ids for best in ours]
        assert [best.text for best in theirs] == [best.text for best in ours]
        # Without Marian's padding, which has a share of our softmax and none of theirs.
        atol = 0.03 if name.startswith("marian") else 1e-4
        np.testing.assert_allclose(
            [best.score for best in theirs], [best.score for best in ours], atol=atol
        )


def array(value):
    value = getattr(value, "tensor", value)
    return value.detach().numpy() if hasattr(value, "detach") else value.numpy()


@pytest.mark.parametrize("name", ["marian", "marian-separate"])
def test_ctranslate2s_own_converter_makes_the_same_variables(run_of, name):
    """But for vocabularies: of a model with two, the converter writes one."""
    from ctranslate2.converters.transformers import MarianMTLoader

    theirs, folder, _, _, run = run_of(name)
    tokenizers = Run.open(run).tokenizers
    ours = specification(
        Run.open(run).model(), tokenizers, theirs.config.max_position_embeddings - 1
    )
    expected = MarianMTLoader().get_model_spec(
        transformers.MarianMTModel.from_pretrained(folder)
    )
    for register, tokenizer in zip(
        (expected.register_source_vocabulary, expected.register_target_vocabulary),
        tokenizers,
    ):
        register(tokenizer.pieces[:-1])
    expected.validate()
    ours = ours.variables()
    expected = expected.variables()
    assert set(ours) == set(expected) and len(ours) > 50
    for name in ours:
        np.testing.assert_array_equal(
            array(ours[name]), array(expected[name]), err_msg=name, strict=True
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["marian", "marian-separate", "m2m_100", "nllb", "mbart", "mbart-50", "t5"]
)
def test_saved_model(run_of, name, tmp_path):
    tf = pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_text")  # its operations
    run = run_of(name).run
    assert (
        export.saved_model(run, tmp_path / "out", beam=3, **SEARCH).largest_difference
        < 1e-4
    )
    found = tf.saved_model.load(str(tmp_path / "out" / "1")).signatures[
        "serving_default"
    ](text=tf.constant(TEXTS))
    assert [text.decode() for text in found["translation"].numpy()] == Translator.load(
        run, DecodingConfig(beam=3, **SEARCH)
    )(TEXTS)


@pytest.mark.parametrize(
    "name, format, message",
    [
        ("t5", "ctranslate2", "positions must be a position table for CTr.*'relative'"),
        ("bart", "saved_model", "must be of sentencepiece .* saved_model; .*'tokenize"),
    ],
)
def test_what_a_format_cannot_hold(run_of, tmp_path, name, format, message):
    with pytest.raises(ValueError, match=message):
        getattr(export, format)(run_of(name).run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_fsmts_tokenizer_is_in_no_graph(run_of, tmp_path):
    message = "the tokenizer must be of sentencepiece or marian or multilingual for sav"
    with pytest.raises(ValueError, match=message):
        export.saved_model(run_of("fsmt").run, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["marian", "marian-separate", "nllb"])
def test_onnx_and_its_loop(run_of, name, tmp_path):
    """It takes and gives ids, of the text alone."""
    run = run_of(name).run
    out = tmp_path / "out"
    assert export.onnx(run, out).largest_difference < 1e-5
    translator = Translator.load(run, DecodingConfig(search="greedy"))
    texts = [text for text in TEXTS if text]
    rows = translator.source_tokenizer.encode(texts)
    lines = [" ".join(map(str, ids)) for ids in rows]
    answer = subprocess.run(
        [sys.executable, out / "translate.py", *lines],
        capture_output=True,
        encoding="utf-8",
    )
    found = [line.split() for line in answer.stdout.splitlines()]
    expected = [best.ids for (best,) in translator.hypotheses(texts)]
    assert [tuple(map(int, ids)) for ids in found] == expected, answer.stderr


def both_logits(run, folder):
    """Ours and those of transformers for the same random ids."""
    ours = Run.open(run).model()
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    config = ours.config
    random = np.random.default_rng(0)
    source = random.integers(4, config.source_vocab_size - 1, (3, 11), "int32")
    target = random.integers(4, config.target_vocab_size - 1, (3, 7), "int32")
    source[1, 5:] = config.pad_id
    target[:, 0] = config.begin_id
    with torch.no_grad():
        ids = [torch.from_numpy(array).long() for array in (source, target)]
        expected = theirs(
            ids[0], attention_mask=ids[0] != config.pad_id, decoder_input_ids=ids[1]
        ).logits.numpy()
    return numpy(ours({"source_ids": source, "target_ids": target})), expected


OWN = [
    dict(positions="sinusoidal_halves", max_positions=20),
    dict(share_embeddings=False, attention_bias=True, activation="gelu"),
    dict(positions="learned", max_positions=50, output_bias=True, activation="silu"),
    dict(
        share_embeddings=False,
        tie_output=False,
        scale_embedding=False,
        positions="sinusoidal_fairseq",
    ),
]


@pytest.mark.parametrize(
    "changes", [*OWN[:2], *slow(*OWN[2:])], ids=lambda changes: "-".join(changes)
)
def test_a_run_of_ours_as_a_checkpoint(tmp_path, changes):
    """Its logits and ids; and back, unless its positions are not Marian's."""
    run = make_run(tmp_path / "run", epochs=0, layer_norm_epsilon=1e-5, **changes)
    out = tmp_path / "out"
    assert export.huggingface(run, out).largest_difference < 1e-5
    np.testing.assert_allclose(*both_logits(run, out), atol=5e-6)
    theirs = transformers.AutoTokenizer.from_pretrained(out)
    source, target = Run.open(run).tokenizers
    assert theirs.model_max_length == changes.get("max_positions", 512)
    texts = [*sentences(20), "a\u00a0ma\u0308n\u200b", "\u2060", "<pad> <0x41>"]
    assert theirs(texts).input_ids == [
        [*ids, source.special.end] for ids in source.encode(texts)
    ]
    assert "</s>" in " ".join(texts)  # which is text
    assert theirs(text_target=texts).input_ids == [
        [*ids, target.special.end] for ids in target.encode(texts)
    ]
    if changes.get("positions") != "sinusoidal_halves":
        message = "embed_positions.weight must hold the sinusoids of this family"
        with pytest.raises(ValueError, match=message):
            pretrained.load(out, tmp_path / "again")


@pytest.mark.parametrize("name", ["marian", "bart", "t5", *slow("marian-separate")])
def test_there_and_back_again(run_of, tmp_path, name):
    theirs, folder, _, _, run = run_of(name)
    export.huggingface(run, tmp_path / "out")
    np.testing.assert_allclose(*both_logits(run, tmp_path / "out"), atol=5e-6)
    back = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out")
    for key, tensor in theirs.state_dict().items():
        if name == "bart" and "embed_positions" in key:  # two rows have no use
            back.state_dict()[key][:2] = tensor[:2]
        torch.testing.assert_close(back.state_dict()[key], tensor, msg=key)
    tokenizers = [
        transformers.AutoTokenizer.from_pretrained(path)
        for path in (folder, tmp_path / "out")
    ]
    assert tokenizers[0](TEXTS).input_ids == tokenizers[1](TEXTS).input_ids
    again = pretrained.load(tmp_path / "out", tmp_path / "again")
    assert again.config == Run.open(run).config.model
    assert all(
        np.array_equal(a, b)
        for a, b in zip(again.get_weights(), Run.open(run).model().get_weights())
    )


def test_a_t5_with_another_tokenizer_is_written_with_it(tmp_path):
    """As CodeT5, which has RoBERTa's."""
    folder = FOLDERS["bart"][0](tmp_path / "checkpoint")
    config = read(folder) | dict(model_type="t5", decoder_start_token_id=1)
    write(folder, config__json=config)
    write(tmp_path / "out", config__json=config)
    write_again(tmp_path / "out", *load_tokenizers(folder, config), None)
    tokenizers = [
        transformers.AutoTokenizer.from_pretrained(path)
        for path in (folder, tmp_path / "out")
    ]
    assert tokenizers[0](TEXTS).input_ids == tokenizers[1](TEXTS).input_ids


@pytest.mark.parametrize(
    "engine, changes, message",
    [
        ("Marian", dict(norm_first=True), "norm_first must be False .*; received True"),
        ("Marian", dict(final_norm=True), "final_norm must be False .*; received True"),
        ("Marian", dict(embedding_norm=True), "embedding_norm must be False for Mar"),
        ("Marian", dict(layer_norm_epsilon=1e-6), "must be 1e-05 .*; received 1e-06"),
        ("Marian", dict(key_dim=5), "key_dim must be 8 for Marian .*; received 5"),
        ("Marian", dict(tie_output=False), "tie_output must be True .* received False"),
        ("CTranslate2", dict(final_norm=True), "final_norm must be False for CTransl"),
    ],
)
def test_what_an_engine_cannot_hold(engine, changes, message):
    sizes = {**SIZES, "layer_norm_epsilon": 1e-5, **changes}
    with pytest.raises(ValueError, match=message):
        check_model(TransformerConfig(**sizes), engine)


@pytest.mark.parametrize("format", ["huggingface", "saved_model"])
def test_fsmts_tokenizer_is_in_no_graph_and_not_marians(run_of, tmp_path, format):
    message = f"tokenizer must be of sentencepiece or .* for {format}; received 'fsmt'"
    with pytest.raises(ValueError, match=message):
        getattr(export, format)(run_of("fsmt").run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_config_says_what_it_is(run_of, tmp_path):
    export.huggingface(run_of("marian").run, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["format"] == "huggingface" and config["model_type"] == "marian"
    assert {"keras", "torch", "transformers"} == set(config["made_with"])
