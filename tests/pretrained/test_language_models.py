"""GPT-2, Llama and Qwen2 give `transformers`' logits and texts, and go back."""

import json
import warnings

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from causal_lm_checkpoints import MODELS, SIZE, write  # noqa: E402
from layer_checks import ON_TORCH, marked, numpy, whole  # noqa: E402

from keras_transformer import export, pretrained  # noqa: E402
from keras_transformer.config import DecodingConfig  # noqa: E402
from keras_transformer.decoding.generator import Generator  # noqa: E402
from keras_transformer.export.export_directory import check_format  # noqa: E402
from keras_transformer.pretrained.causal_lm import with_all_sizes  # noqa: E402
from keras_transformer.pretrained.rotary_settings import FACTORS  # noqa: E402
from keras_transformer.runs.run import Run  # noqa: E402

LENGTH = 12  # new tokens
WORDS = "a man rides the horse over field and two girls sit on bench in park".split()
PROMPTS = [" ".join(WORDS[n : n + 1 + n % 7]) for n in range(len(WORDS))] + ["", "x y"]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Their model, its folder, our run and our model; each made once."""
    made = {}

    def imported(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            theirs = write(folder / "checkpoint", name)
            ours = pretrained.load(folder / "checkpoint", folder / "run")
            made[name] = (theirs, folder / "checkpoint", folder / "run", ours)
        return made[name]

    return imported


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.from_numpy(ids).long()).logits.numpy()


@pytest.mark.parametrize("name", MODELS)
def test_logits(imported, name):
    theirs, _, run, ours = imported(name)
    # Any token may stand anywhere, also what ends or begins a text.
    ids = np.random.default_rng(0).integers(0, SIZE, (3, 37)).astype("int32")
    expected = logits_of(theirs, ids)
    found = numpy(whole(ours, ours)(ids))
    difference = np.abs(found - expected).max()
    print(name, difference, np.abs(expected).max())
    assert difference < (2e-6 if keras.backend.backend() == "torch" else 5e-6)
    assert ours.count_params() == ours.config.parameters
    again = Run.open(run).model()
    np.testing.assert_array_equal(numpy(whole(again, again)(ids)), found)


@marked(ON_TORCH)
@pytest.mark.parametrize("name", MODELS)
def test_greedy_tokens(imported, name):
    theirs, checkpoint, run, ours = imported(name)
    config = DecodingConfig(search="greedy", extra_length=LENGTH, batch_size=16)
    generator = Generator.load(run, config)
    theirs_tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    never = {*ours.config.special.never_generated} - {-1}
    assert len(PROMPTS) >= 16
    for prompt, (found,) in zip(PROMPTS, generator.hypotheses(PROMPTS)):
        ids = theirs_tokenizer(prompt)["input_ids"] or [ours.config.begin_id]
        assert generator._encode_sources([prompt]) == [ids]
        expected = theirs.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids)),
            max_new_tokens=LENGTH,
            do_sample=False,
            pad_token_id=0,
            suppress_tokens=[*never] or None,
        )
        expected = expected[0, len(ids) :].tolist()
        assert list(found.ids) == expected
        whole = theirs_tokenizer.decode(ids + expected, skip_special_tokens=True)
        assert found.text == whole


@marked(ON_TORCH)
@pytest.mark.parametrize("name", MODELS)
def test_exported_back(imported, name, tmp_path):
    theirs, _, run, _ = imported(name)
    check = export.huggingface(run, tmp_path / "out")
    assert check.largest_difference < 2e-6
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert type(again) is type(theirs)
    ids = np.random.default_rng(0).integers(0, SIZE, (3, 37)).astype("int32")
    np.testing.assert_array_equal(logits_of(again, ids), logits_of(theirs, ids))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    generator = Run.open(run).generator()
    ids = tokenizer("a man")["input_ids"]
    assert generator._encode_sources(["a man"]) == [ids]
    assert "AutoModelForCausalLM" in (tmp_path / "out" / "README.md").read_text()
    pretrained.load(tmp_path / "out", tmp_path / "again")
    configs = [Run.open(path).config.model for path in (run, tmp_path / "again")]
    assert with_all_sizes(configs[0]) == with_all_sizes(configs[1])


@marked(ON_TORCH)
def test_a_qwen2_in_half_precision(tmp_path):
    """Where the biases that it lacks are more than the headers of its file."""
    sizes = dict(hidden_size=2048, intermediate_size=4, head_dim=4)
    theirs = write(tmp_path / "checkpoint", "qwen2", **sizes)
    theirs.bfloat16().save_pretrained(tmp_path / "checkpoint")
    ours = pretrained.load(tmp_path / "checkpoint", tmp_path / "run")
    size = (tmp_path / "checkpoint" / "model.safetensors").stat().st_size
    assert size < 2 * ours.config.parameters


@marked(ON_TORCH)
def test_a_learned_output_bias_makes_a_llama_of_a_qwen2(imported, tmp_path):
    """Qwen2 has no room for it, Llama has."""
    from keras_transformer.export.to_huggingface import family_and_arrays

    _, _, run, _ = imported("qwen2")
    model = Run.open(run).model()
    assert family_and_arrays(model)[0] == "qwen2"
    bias = model.decoder.blocks[0].self_attention.output_projection.bias
    bias.assign(np.ones(bias.shape))
    assert family_and_arrays(model)[0] == "llama"
    _, _, run, _ = imported("qwen2_window")
    model = Run.open(run).model()
    bias = model.decoder.blocks[0].self_attention.output_projection.bias
    bias.assign(np.ones(bias.shape))
    with pytest.raises(
        ValueError, match="output_projection.bias must be zero for qwen"
    ):
        family_and_arrays(model)


@marked(ON_TORCH)
@pytest.mark.parametrize("format", ["saved_model", "ctranslate2", "onnx", "kerashub"])
def test_exports_that_cannot(imported, format):
    _, _, run, _ = imported("gpt2")
    with pytest.raises(ValueError, match=f"hold a translation model.*'{format}'"):
        check_format(Run.open(run), format)


@marked(ON_TORCH)
def test_pytorch_files_with_their_old_tables(imported, tmp_path):
    """GPT-2's files of old: names without a prefix, and masks of bytes."""
    theirs, checkpoint, _, ours = imported("gpt2")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((checkpoint / name).read_bytes())
    tensors = {
        name.removeprefix("transformer."): tensor
        for name, tensor in theirs.state_dict().items()
        if name != "lm_head.weight"
    }
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 48, 48, dtype=torch.uint8)
    tensors["h.0.attn.masked_bias"] = torch.tensor(-1e4)
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    again = pretrained.load(tmp_path, tmp_path.parent / "old")
    for one, other in zip(again.weights, ours.weights):
        np.testing.assert_array_equal(numpy(one), numpy(other))


ROPE = dict(rope_type="llama3", rope_theta=5e5, factor=8.0)
ROPE |= dict(original_max_position_embeddings=16)


def changed(checkpoint, folder, settings, without=()):
    """A copy of a checkpoint, with other settings."""
    for path in checkpoint.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text()) | settings
    for name in without:
        del config[name]
    (folder / "config.json").write_text(json.dumps(config))


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "name, settings, without",
    [
        ("llama", dict(rope_scaling={**ROPE, **FACTORS}), ()),
        ("llama", dict(rope_parameters={**ROPE, **FACTORS, "factor": 2}), ()),
        (
            "llama",
            dict(
                rope_parameters=None,
                rope_theta=300,
                rope_scaling=dict(rope_type="llama3", factor=4.0, **FACTORS),
            ),
            (),
        ),
        (
            "llama",
            dict(
                rope_parameters=dict(rope_type="llama3", factor=4.0, **FACTORS),
                original_max_position_embeddings=8,
            ),
            (),
        ),
        (
            "qwen2",
            dict(use_sliding_window=True, sliding_window=5),
            ("max_window_layers", "layer_types"),
        ),
        (
            "qwen2",
            dict(use_sliding_window=True, max_window_layers=0),
            ("sliding_window", "layer_types"),
        ),
    ],
)
def test_settings_as_transformers_reads_them(
    imported, tmp_path, name, settings, without
):
    _, checkpoint, _, _ = imported(name)
    changed(checkpoint, tmp_path, settings, without)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    ours = pretrained.load(tmp_path, tmp_path / "run")
    ids = np.random.default_rng(0).integers(0, SIZE, (3, 37)).astype("int32")
    found = numpy(whole(ours, ours)(ids))
    np.testing.assert_allclose(found, logits_of(theirs, ids), atol=5e-6)


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "name, settings, message",
    [
        (
            "gpt2",
            dict(activation_function="mish"),
            "activation_function must be one of",
        ),
        ("gpt2", dict(scale_attn_weights=False), "scale_attn_weights must be True"),
        ("gpt2", dict(add_cross_attention=True), "add_cross_attention must be False"),
        ("gpt2", dict(n_layer=None), "num_layers must be int; received None"),
        ("llama", dict(rope_parameters={"rope_type": "yarn"}), "rope_type must be one"),
        (
            "llama",
            dict(rope_scaling={"type": "linear", "factor": 2}, rope_parameters=None),
            "rope_type must be one of default, llama3; received 'linear'",
        ),
        (
            "llama",
            dict(
                rope_parameters={
                    **ROPE,
                    "low_freq_factor": 2.0,
                    "high_freq_factor": 4.0,
                }
            ),
            "low_freq_factor must be 1.0; received 2.0",
        ),
        # The old name counts where both are, as model cards have it added.
        (
            "qwen2",
            dict(rope_scaling={"type": "yarn", "factor": 4.0}),
            "rope_type must be one of default, llama3; received 'yarn'",
        ),
        (
            "llama",
            dict(rope_parameters={"full_attention": {"rope_theta": 500.0}}),
            "rope_parameters must be the same for all layers",
        ),
        ("llama", dict(rope_parameters=[1]), "rope_parameters must be an object"),
        (
            "llama",
            dict(rope_parameters={"rope_theta": None}),
            "rope_theta must be a number; received None",
        ),
        (
            "llama",
            dict(rope_parameters={**ROPE, "factor": "8", **FACTORS}),
            "factor must be a number; received '8'",
        ),
        (
            "llama",
            dict(rope_parameters={"rope_type": "llama3", **FACTORS}),
            "config.json must have factor; it has not",
        ),
        (
            "llama",
            dict(rope_parameters={"partial_rotary_factor": 0.5}),
            "partial_rotary_factor must be 1.0",
        ),
        ("llama", dict(partial_rotary_factor=0.5), "partial_rotary_factor must be 1.0"),
        (
            "qwen2",
            dict(
                use_sliding_window=True,
                sliding_window=5,
                layer_types=["full_attention", "sliding_attention"],
            ),
            "layer_types must be all the same",
        ),
    ],
)
def test_settings_that_we_have_not(imported, tmp_path, name, settings, message):
    _, checkpoint, _, _ = imported(name)
    changed(checkpoint, tmp_path, settings)
    with warnings.catch_warnings(), pytest.raises(ValueError, match=message):
        pretrained.load(tmp_path, tmp_path.parent / f"{tmp_path.name}-run")


ADDED = "the tokenizer must have the special token '<new>' with its id"


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "name, content, message",
    [
        ("tokenizer_config", dict(additional_special_tokens=["<new>"]), ADDED),
        (
            "tokenizer_config",
            dict(added_tokens_decoder={"298": {"content": "<new>"}}),
            ADDED,
        ),
        ("added_tokens", {"<new>": 298}, ADDED),
        ("special_tokens_map", dict(additional_special_tokens=["<new>"]), ADDED),
        (
            "tokenizer_config",
            dict(split_special_tokens=True),
            "split_special_tokens must be false: text .*; received True",
        ),
        (
            "tokenizer_config",
            dict(add_prefix_space=True),
            "add_prefix_space must be False as in tokenizer.json; received True",
        ),
    ],
)
def test_settings_of_a_tokenizer_that_we_have_not(
    imported, tmp_path, name, content, message
):
    _, checkpoint, _, _ = imported("llama")
    changed(checkpoint, tmp_path, {})
    path = tmp_path / f"{name}.json"
    said = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(said | content))
    with pytest.raises(ValueError, match=message):
        pretrained.load(tmp_path, tmp_path.parent / f"{tmp_path.name}-run")


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "config, generation, ends",
    [
        (dict(eos_token_id=2), dict(eos_token_id=[1, 2]), [2, 1]),
        (dict(eos_token_id=2), dict(eos_token_id=1), [1]),
        (dict(eos_token_id=[2, 1]), {}, [2, 1]),
        (dict(eos_token_id=None), {}, [1]),  # the tokenizer's <|end|>
    ],
)
def test_which_tokens_end_a_text(imported, tmp_path, config, generation, ends):
    _, checkpoint, _, _ = imported("llama")
    changed(checkpoint, tmp_path, config)
    (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    pretrained.load(tmp_path, tmp_path / "run")
    (tokenizer, _) = Run.open(tmp_path / "run").tokenizers
    assert [tokenizer.special.end, *tokenizer.stops] == ends


@marked(ON_TORCH)
@pytest.mark.parametrize("name", ["llama", "qwen2"])
@pytest.mark.parametrize("adds", [False, True])
def test_what_stands_before_a_text_is_said_by_tokenizer_json(
    imported, tmp_path, name, adds
):
    _, checkpoint, _, _ = imported(name)
    changed(checkpoint, tmp_path, {})
    path = tmp_path / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {"add_bos_token": adds}
    path.write_text(json.dumps(settings | {"bos_token": "<|begin|>"}))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    run = tmp_path.parent / f"{tmp_path.name}-run"
    pretrained.load(tmp_path, run)
    (tokenizer, _) = Run.open(run).tokenizers
    found = [*tokenizer.prompt_prefix, *tokenizer.encode(["a man"])[0]]
    assert found == theirs("a man")["input_ids"]


@marked(ON_TORCH)
def test_tokenizer_files_that_cannot_be_used(imported, tmp_path):
    _, checkpoint, _, _ = imported("llama")
    changed(checkpoint, tmp_path, {})
    run = tmp_path.parent / f"{tmp_path.name}-run"
    with pytest.raises(ValueError, match="source_lang must be absent for llama"):
        pretrained.load(tmp_path, run, source_lang="en")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="tokenizer.json'? cannot be used"):
        pretrained.load(tmp_path, run)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match="tokenizer.json'? cannot be used: No such"):
        pretrained.load(tmp_path, run)
    assert not run.exists()


@marked(ON_TORCH)
def test_several_ends(imported, tmp_path):
    """As Llama 3's generation_config.json has them: each ends a text."""
    _, checkpoint, _, _ = imported("llama")
    for path in checkpoint.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ends = json.dumps({"eos_token_id": [1, 2]})
    (tmp_path / "generation_config.json").write_text(ends)
    run = tmp_path.parent / f"{tmp_path.name}-run"
    pretrained.load(tmp_path, run)
    generator = Run.open(run).generator()
    assert generator.stops == (1, 2)
    assert generator.tokenizer.special.pad == -1
