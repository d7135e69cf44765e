"""A checkpoint becomes a run on which everything works."""

import json
import shutil
import sys

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from checkpoints import complete, generate  # noqa: E402
from layer_checks import ON_TORCH, marked, some_slow  # noqa: E402
from tokenizer_folders import FOLDERS  # noqa: E402

from keras_transformer import Translator, pretrained  # noqa: E402
from keras_transformer.cli.main import main  # noqa: E402
from keras_transformer.config import DecodingConfig  # noqa: E402
from keras_transformer.layers.positional_embedding import PositionalEmbedding  # noqa: E402
from keras_transformer.pretrained.families import transformer_config  # noqa: E402
from keras_transformer.pretrained.load import read_model  # noqa: E402
from keras_transformer.pretrained.tokenizers.files import read_large_json  # noqa: E402
from keras_transformer.pretrained.tokenizers.load import load_tokenizers  # noqa: E402
from keras_transformer.runs.run import Run  # noqa: E402
from keras_transformer.runs.sealed_files import sha256  # noqa: E402

TEXTS = ["The quick brown fox is not afraid.", "Dogs!", "eine Katze, zwei Katzen"]
GREEDY = DecodingConfig(search="greedy", extra_length=5)

# They look at a sentence as one of the others does.
SELDOM = ("marian-separate", "nllb", "mbart", "mbart-50", "fsmt", "bart")


@pytest.fixture(params=FOLDERS)
def made(request, imported):
    return imported(request.param)


def test_translates_as_transformers_do(made):
    translator = Translator.load(made.run, GREEDY)
    form = translator.sentence_format
    prefix = form.target_prefix
    for text, (found,) in zip(TEXTS, translator.hypotheses(TEXTS), strict=True):
        expected = generate(made, text, form, GREEDY.extra_length)
        best, second = torch.cat(expected.scores).topk(2).values.T
        assert (best - second).min() > 1e-4  # rounding decides nothing
        assert list(found.ids) == expected.sequences[0, 1:].tolist()
        assert found.ids[: len(prefix)] == prefix


@marked(ON_TORCH)
@pytest.mark.parametrize("made", some_slow(FOLDERS, SELDOM), indirect=True)
def test_what_it_looks_at_is_what_transformers_say(made):
    decoding = DecodingConfig(beam=2, extra_length=5, length_penalty=0.0)
    translator = Translator.load(made.run, decoding)
    form = translator.sentence_format
    special = form.special
    pieces = translator.target_tokenizer.pieces
    ((best, *_),) = translator.hypotheses(TEXTS[:1], token_scores=True)
    found = translator.attention(TEXTS[0], best)
    written = best.ids
    assert found.target_tokens == tuple(pieces[number] for number in written)
    assert found.input_tokens == (pieces[special.begin], *found.target_tokens[:-1])

    (source,) = translator.source_tokenizer.encode(TEXTS[:1])
    rows = (form.source(source), form.target(list(written)))
    source, target = (torch.tensor([ids]) for ids in rows)
    made.theirs.set_attn_implementation("eager")
    with torch.no_grad():
        expected = made.theirs(
            source, decoder_input_ids=target, output_attentions=True, use_cache=False
        )
    for weights, of_layers in (
        (found.encoder, expected.encoder_attentions),
        (found.decoder, expected.decoder_attentions),
        (found.cross, expected.cross_attentions),
    ):
        np.testing.assert_allclose(weights, torch.cat(of_layers).numpy(), atol=1e-5)

    given = len(form.target_prefix)
    assert best.token_scores[:given] == (0.0,) * given
    assert max(best.token_scores[given:]) < 0.0
    np.testing.assert_allclose(sum(best.token_scores), best.score, atol=1e-4)
    (links,) = translator.alignments(TEXTS[:1], [best])
    words = sorted(word for _, word in links)
    assert words == [*range(len(best.text.split()))]
    chosen = tuple(pieces[number] for number in best.ids)
    assert translator.trace(TEXTS[0])[-1].finished[0][0] == chosen


def test_the_run_holds_the_model_and_where_it_is_from(made):
    for again in (
        Run.open(made.run).model(),
        keras.models.load_model(made.run / "model.keras"),
    ):
        assert again.config == made.ours.config
        same(again, made.ours)
    assert made.ours.count_params() == made.ours.config.parameters
    origin = json.loads((made.run / "config.json").read_text())["origin"]
    assert origin["source"] == str(made.checkpoint)
    languages = Run.open(made.run).config.languages
    has_none = made.theirs.config.model_type in ("bart", "t5")
    assert (languages is None) == has_none
    assert has_none or [code[:2] for code in languages] == ["en", "de"]
    assert origin["files"]["model.safetensors"] == sha256(
        made.checkpoint / "model.safetensors"
    )


@pytest.fixture
def marian(imported):
    """A checkpoint of Marian, and our model of it."""
    made = imported("marian")
    return made.checkpoint, made.ours


def read(folder):
    """Our model of a checkpoint folder of Marian."""
    settings = read_large_json(folder / "config.json")
    special = load_tokenizers(folder, settings)[1].special
    return read_model(folder, transformer_config(settings, special))


def changed(folder, out, change=lambda tensors: tensors, **settings):
    """A copy of a checkpoint with other tensors or other settings."""
    shutil.copytree(folder, out)
    save_file(
        change(load_file(folder / "model.safetensors")),
        out / "model.safetensors",
        {"format": "pt"},
    )
    content = {**json.loads((folder / "config.json").read_text()), **settings}
    (out / "config.json").write_text(
        json.dumps({k: v for k, v in content.items() if v != "absent"})
    )
    return out


def same(model, other, **tolerance):
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, **{"rtol": 0, **tolerance})


@pytest.mark.parametrize("dtype, rtol", [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_half_precision_is_widened(marian, tmp_path, dtype, rtol):
    complete(
        tmp_path / "half",
        "marian",
        dtype=getattr(torch, dtype),
        max_position_embeddings=160,
    )
    ours = read(tmp_path / "half")
    assert {weight.dtype for weight in ours.weights} == {"float32"}
    same(ours, marian[1], rtol=rtol, atol=1e-6)


@marked(ON_TORCH)
def test_all_ways_of_storing_it(marian, tmp_path):
    """Shards; PyTorch's own format, old and new; a matrix by another of its names."""
    folder, expected = marian
    tensors = {
        name: torch.from_numpy(array)
        for name, array in load_file(folder / "model.safetensors").items()
    }
    theirs = transformers.MarianMTModel.from_pretrained(folder)
    (tmp_path / "shards").mkdir()
    shutil.copytree(
        folder, tmp_path / "torch", ignore=shutil.ignore_patterns("*.safetensors")
    )
    shutil.copytree(
        folder,
        tmp_path / "shards",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("*.safetensors"),
    )
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="100KB")
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 2
    same(read(tmp_path / "shards"), expected)
    for content, old in (
        (theirs.state_dict(), True),
        (theirs.state_dict(), False),
        (tensors, False),
    ):
        torch.save(
            content,
            tmp_path / "torch" / "pytorch_model.bin",
            _use_new_zipfile_serialization=not old,
        )
        same(read(tmp_path / "torch"), expected)
    rename = {"model.shared.weight": "lm_head.weight"}
    other = changed(
        folder,
        tmp_path / "other",
        lambda found: {rename.get(n, n): array for n, array in found.items()},
    )
    same(read(other), expected)


def without(name):
    return lambda tensors: {key: array for key, array in tensors.items() if key != name}


def with_(name, make):
    return lambda tensors: {**tensors, name: make(tensors)}


def as_bare_model(tensors):
    """As bart-base is on the hub: a model without what makes logits of it."""
    names = {name: name.removeprefix("model.") for name in tensors}
    del names["final_logits_bias"]
    return {names[name]: tensors[name] for name in names}


@marked(ON_TORCH)
def test_a_file_of_a_model_without_output(imported, tmp_path):
    made = imported("bart")
    folder = changed(made.checkpoint, tmp_path / "bare", as_bare_model)
    pairs = zip(read(folder).weights, made.ours.weights, strict=True)
    for found, expected in pairs:
        expected = keras.ops.convert_to_numpy(expected)
        if found.name == "output_bias":
            assert np.any(expected)
            expected = np.zeros_like(expected)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), expected)


WEIGHT = "model.encoder.layers.0.fc1.weight"
BAD_TENSORS = [
    (without(WEIGHT), rf"tensors must not be missing; received \['{WEIGHT}'\]"),
    (
        with_("model.extra", lambda t: t[WEIGHT]),
        r"tensors must not be left over; received \['model.extra'\]",
    ),
    (
        with_(WEIGHT, lambda t: t[WEIGHT].T.copy()),
        r"of another shape; .*fc1.weight \(64, 96\) instead of \(96, 64\)",
    ),
    (
        with_(WEIGHT, lambda t: t[WEIGHT].astype("int8")),
        "fc1.weight must be one of F32, F16, BF16; received 'I8'",
    ),
    (
        with_("lm_head.weight", lambda t: t["model.shared.weight"] + 1),
        "lm_head.weight must be equal to model.shared.weight",
    ),
    (
        lambda t: {name: t[name] for name in [*t][:9]},
        r"must not be missing; received \['[^,]*'(, '[^,]*'){4}\]",
    ),
]


@pytest.mark.parametrize("change, message", BAD_TENSORS)
def test_tensors_that_do_not_fit(marian, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read(changed(marian[0], tmp_path / "bad", change))


def test_sinusoids_are_the_familys_or_refused(marian, tmp_path):
    """Ours are computed: a file that brings others is no such model."""
    name = "model.decoder.embed_positions.weight"
    folder, expected = marian
    table = np.asarray(expected.decoder.embedding.encode(np.arange(30)[None]))[
        0
    ].astype("float16")
    same(
        read(changed(folder, tmp_path / "its own", with_(name, lambda tensors: table))),
        expected,
    )
    others = PositionalEmbedding(1, table.shape[1]).encode(np.arange(30)[None])
    others = np.ascontiguousarray(keras.ops.convert_to_numpy(others)[0])
    sinusoids = "hold the sinusoids of this family, sinusoidal_halves"
    sizes = r"have at most 160 rows of 64 numbers; received "
    for number, (wrong, must) in enumerate(
        [
            (others, sinusoids),
            (np.full_like(table, np.nan), "hold finite numbers"),
            (table[:, :8].copy(), sizes + r"\(30, 8\)"),
            (np.tile(table, (6, 1)), sizes + r"\(180, 64\)"),
            (table[:0], sizes + r"\(0, 64\)"),
            (table[0], sizes + r"\(64,\)"),
        ]
    ):
        with pytest.raises(ValueError, match=f"{name} must {must}"):
            read(
                changed(
                    folder,
                    tmp_path / str(number),
                    with_(name, lambda tensors, wrong=wrong: wrong),
                )
            )


def test_a_checkpoint_is_not_replaced_by_its_run(marian, tmp_path):
    folder = changed(marian[0], tmp_path / "checkpoint")
    before = sorted(path.name for path in folder.iterdir())
    for run in (folder, tmp_path):
        message = "run must lie outside of source, .*checkpoint'; received"
        with pytest.raises(ValueError, match=message):
            pretrained.load(folder, run, overwrite=True)
    other = changed(marian[0], tmp_path / "other")
    message = "exists and is no run directory; it is left as it is"
    with pytest.raises(ValueError, match=message):
        pretrained.load(folder, other, overwrite=True)
    assert (
        sorted(path.name for path in folder.iterdir())
        == sorted(path.name for path in other.iterdir())
        == before
    )
    message = "run must be a directory that .* made; .*manifest.json' is missing"
    with pytest.raises(ValueError, match=message):
        Translator.load(folder)


FAMILY_NAMES = (
    "model_type must be one of marian, fsmt, m2m_100, mbart, bart, t5, .*; rec"
)
FUNCTIONS = "activation_function must be one of relu, gelu, gelu_new, .*; received"
SHAPE = r"of another shape; .*model.decoder.layers.0.fc1.bias \(96,\) instead"
BAD_SETTINGS = [
    (dict(model_type="opt"), f"{FAMILY_NAMES}eived 'opt'"),
    (dict(model_type={}), f"{FAMILY_NAMES}eived {{}}"),
    (dict(activation_function="tanh"), f"{FUNCTIONS} 'tanh'"),
    (dict(activation_function=[]), rf"{FUNCTIONS} \[\]"),
    (dict(decoder_attention_heads=2), "heads must be the encoder's 4; received 2"),
    (dict(decoder_ffn_dim=95), SHAPE),
    (dict(d_model="absent"), "config.json must have d_model; it has not"),
    (dict(eos_token_id=1), "eos_token_id must be"),
    (dict(tie_word_embeddings=False), "tie_word_embeddings must be true where source"),
    (dict(encoder_layers=2.5), "encoder_layers must be int; received 2.5"),
    (dict(d_model=10**12), "d_model must be between 1 and 2147483647"),
    (dict(encoder_layers=10**9), r"tensors must be those of 1000000003 layers; .* \d+"),
]


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "settings", [dict(dense_act_fn="gelu_new"), dict(is_gated_act=True)]
)
def test_settings_of_t5_that_disagree(imported, tmp_path, settings):
    (name,) = settings
    message = f"{name} must be .* with feed_forward_proj='relu'; received"
    with pytest.raises(ValueError, match=message):
        read(changed(imported("t5").checkpoint, tmp_path / "bad", **settings))


@pytest.mark.parametrize("settings, message", BAD_SETTINGS)
def test_settings_that_do_not_fit(marian, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        read(changed(marian[0], tmp_path / "bad", **settings))


def test_sizes_must_be_the_tokenizers(marian, tmp_path):
    size = marian[1].config.target_vocab_size
    sizes = {"decoder_vocab_size": size + 1}
    sizes["share_encoder_decoder_embeddings"] = False
    bad = changed(marian[0], tmp_path / "bad", **sizes)
    message = rf"\({size}, {size + 1}\) tokens; received \({size}, {size}\)"
    with pytest.raises(ValueError, match=message):
        pretrained.load(bad, tmp_path / "run")


def test_files_that_cannot_be_used(marian, tmp_path, monkeypatch):
    folder = changed(marian[0], tmp_path / "bad")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ValueError, match="model.safetensors' cannot be used: "):
        read(folder)
    weights.unlink()
    message = "source must hold one of model.safetensors, .*, pytorch_model.bin"
    with pytest.raises(ValueError, match=message):
        read(folder)
    for content, message in (
        (
            {"a": torch.ones(2, dtype=torch.int64)},
            "a must be a dense tensor of floating-point numbers; received .*int64",
        ),
        ({"a": Evil()}, "pytorch_model.bin' cannot be used: Weights only load failed"),
    ):
        torch.save(content, folder / "pytorch_model.bin")
        with pytest.raises(ValueError, match=message):
            read(folder)
    assert not Evil.made
    monkeypatch.setitem(sys.modules, "torch", None)
    message = "torch is not installed: pip install .*torch"
    with pytest.raises(ImportError, match=message):
        read(folder)
    for content, message in (
        ("[]", "the content must be a dict; received "),
        ("{", "config.json' cannot be used"),
    ):
        (folder / "config.json").write_text(content)
        with pytest.raises(ValueError, match=message):
            read_large_json(folder / "config.json")
    (folder / "config.json").unlink()
    with pytest.raises(ValueError, match="config.json' cannot be used: No such file"):
        read_large_json(folder / "config.json")


class Evil:
    """An object that a file could have made when it is read."""

    made = []

    def __reduce__(self):
        return Evil.made.append, (1,)


@marked(ON_TORCH)
def test_the_command(marian, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["import", str(marian[0]), str(run)]) == 0
    assert "parameters.\nThe run is in" in capsys.readouterr().out
    assert main(["translate", str(run), "Dogs!", "--extra-length", "3"]) == 0
    assert main(["import", str(marian[0]), str(run)]) == 2
    assert "exists already; pass --overwrite" in capsys.readouterr().err
    assert (
        main(["import", str(marian[0]), str(run), "--overwrite", "--target-lang", "de"])
        == 0
    )
    bad = changed(marian[0], tmp_path / "bad", without(WEIGHT))
    capsys.readouterr()
    assert main(["import", str(bad), str(tmp_path / "other")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "keras-transformer: error: the checkpoint's tensors must not be missing"
    )
    assert not (tmp_path / "other").exists() and not list(tmp_path.glob(".*"))
