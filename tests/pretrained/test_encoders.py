"""BERT, RoBERTa and DistilBERT give what `transformers` gives, with every head."""

import json

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from encoder_checkpoints import (  # noqa: E402
    FAMILIES,
    HEADS,
    byte_pairs,
    word_pieces,
    write,
)
from layer_checks import ON_TORCH, marked, numpy  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402

from keras_transformer import pretrained, sequence_classifier  # noqa: E402

CASES = [(family, head) for family in FAMILIES for head in HEADS]
LIMIT = 2e-6


def batch_of(model):
    """Inputs of a model: two texts, the second one padded."""
    pad = model.config.pad_token_id
    random = np.random.default_rng(0)
    ids = random.integers(4, 83, (2, 13)).astype("int32")
    ids[1, 7:] = pad
    types = random.integers(0, 2, ids.shape).astype("int32")
    return ids, ids != pad, types


def expected_of(model, ids, mask, types):
    """What `transformers` gives, all by name."""
    given = {} if model.config.model_type != "bert" else {"token_type_ids": types}
    given = {"input_ids": ids, "attention_mask": mask, **given}
    given = {name: torch.from_numpy(x).long() for name, x in given.items()}
    with torch.no_grad():
        return {name: x.numpy() for name, x in model(**given).items()}


def inputs_of(model, ids, types):
    found = {"token_ids": ids}
    if "token_types" in model.input:
        found["token_types"] = types
    return found


def both(theirs, ours):
    """What the two models give at real positions, as lists of arrays."""
    ids, mask, types = batch_of(theirs)
    expected = expected_of(theirs, ids, mask, types)
    found = ours(inputs_of(ours, ids, types))
    if isinstance(found, dict):
        names = {"sequence": "last_hidden_state", "pooled": "pooler_output"}
        expected = [expected[names[name]] for name in found]
        found = [*found.values()]
    elif "start_logits" in expected:
        expected = [expected["start_logits"], expected["end_logits"]]
        found = [found[:, 0], found[:, 1]]
    else:
        expected = [*expected.values()]
        found = [found]
    found = [numpy(x) for x in found]
    for one in (found, expected):
        one[:] = [x[mask] if x.shape[:2] == mask.shape else x for x in one]
    return found, expected


@pytest.mark.parametrize("family, head", CASES)
def test_outputs(tmp_path, family, head):
    theirs = write(tmp_path, family, head)
    ours, tokenizer = pretrained.load_encoder(tmp_path, head)
    assert tokenizer is None  # there is none in the folder
    found, expected = both(theirs, ours)
    assert len(found) == (2 if head is None and family != "DistilBert" else len(found))
    for one, other in zip(found, expected, strict=True):
        print(family, head, np.abs(one - other).max(), np.abs(other).max())
        np.testing.assert_allclose(one, other, atol=LIMIT, rtol=0)


@marked(ON_TORCH)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_epsilon_is_seen(tmp_path, family):
    theirs = write(tmp_path, family)
    ours, _ = pretrained.load_encoder(tmp_path)
    layers = ours._flatten_layers()
    norms = [x for x in layers if isinstance(x, keras.layers.LayerNormalization)]
    assert {norm.epsilon for norm in norms} == {1e-12} and len(norms) == 5
    for norm in norms:
        norm.epsilon = 1e-6
    found, expected = both(theirs, ours)
    assert np.abs(found[0] - expected[0]).max() > LIMIT


PAIRS = (["Two girls sit.", "A dog, unaffordable!"], ["Where?", "On a bench, I see."])


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "family, make", [("Bert", word_pieces), ("Roberta", byte_pairs)]
)
@pytest.mark.parametrize("is_new", [False, True])
def test_texts_become_inputs(tmp_path, family, make, is_new):
    make(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    if is_new:  # one file
        theirs.save_pretrained(tmp_path)
        assert (tmp_path / "tokenizer.json").exists()
        for old in ("vocab.txt", "vocab.json", "merges.txt"):
            (tmp_path / old).unlink(missing_ok=True)
    sizes = dict(vocab_size=len(theirs), max_position_embeddings=64)
    write(tmp_path, family, **sizes)
    model, tokenizer = pretrained.load_encoder(tmp_path)
    for given in (PAIRS[:1], PAIRS):
        batch = tokenizer(*given)
        expected = theirs(*given, padding=True)
        np.testing.assert_array_equal(batch["token_ids"], expected["input_ids"])
        if family == "Bert":
            types = expected["token_type_ids"]
            np.testing.assert_array_equal(batch["token_types"], types)
        assert model(batch)["pooled"].shape == (2, 24)
    assert tokenizer(["long text " * 50])["token_ids"].shape[1] in (62, 64)
    with pytest.raises(ValueError, match="texts must hold at least one text; rec"):
        tokenizer([])
    message = "others must be as many as texts, 2; received 1"
    with pytest.raises(ValueError, match=message):
        tokenizer(PAIRS[0], ["one"])


def edited(folder, **settings):
    """Files of one tokenizer.json, and further settings beside it."""
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    return theirs, dict(vocab_size=len(theirs), max_position_embeddings=64)


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "name", ["do_lower_case", "strip_accents", "tokenize_chinese_chars"]
)
def test_settings_of_letters_count(tmp_path, name):
    word_pieces(tmp_path)
    theirs, sizes = edited(tmp_path, **{name: False})
    write(tmp_path, "Bert", **sizes)
    _, tokenizer = pretrained.load_encoder(tmp_path)
    texts = ["A n\u00efve Man", "\u706b\u706b a", "a man"]
    expected = theirs(texts, padding=True)["input_ids"]
    np.testing.assert_array_equal(tokenizer(texts)["token_ids"], expected)


@marked(ON_TORCH)
def test_files_that_disagree_on_spaces(tmp_path):
    byte_pairs(tmp_path)
    _, sizes = edited(tmp_path, add_prefix_space=True)
    write(tmp_path, "Roberta", **sizes)
    message = "add_prefix_space must be False as in tokenizer.json; received True"
    with pytest.raises(ValueError, match=message):
        pretrained.load_encoder(tmp_path)


@marked(ON_TORCH)
def test_a_new_head_on_an_imported_encoder_is_trained_and_saved(tmp_path):
    write(tmp_path, "Bert")
    ours, _ = pretrained.load_encoder(tmp_path)
    encoder = ours.get_layer("encoder")
    model = sequence_classifier(encoder, 2, pooler=ours.get_layer("pooler"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    ids = np.random.default_rng(0).integers(4, 83, (32, 9)).astype("int32")
    inputs = {"token_ids": ids, "token_types": np.zeros_like(ids)}
    labels = (ids[:, 0] > 40).astype("int32")
    before = encoder.get_weights()
    losses = model.fit(inputs, labels, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    assert any(np.any(a != b) for a, b in zip(before, encoder.get_weights()))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(again(inputs)), numpy(model(inputs)), atol=1e-6)


def rewritten(folder, change=dict, **settings):
    """A checkpoint with other tensors or other settings."""
    weights = folder / "model.safetensors"
    save_file(change(load_file(weights)), weights, {"format": "pt"})
    content = json.loads((folder / "config.json").read_text()) | settings
    (folder / "config.json").write_text(json.dumps(content))


def as_of_old(tensors):
    """Without the model's name, with TensorFlow's names and the positions."""
    found = {"embeddings.position_ids": np.arange(31)[None]}
    for name, array in tensors.items():
        name = name.removeprefix("bert.")
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        found[name.replace("LayerNorm.bias", "LayerNorm.beta")] = array
    return found


@marked(ON_TORCH)
def test_names_of_old_files(tmp_path):
    theirs = write(tmp_path, "Bert", "masked_language_model")
    rewritten(tmp_path, as_of_old)
    ours, _ = pretrained.load_encoder(tmp_path, "masked_language_model")
    found, expected = both(theirs, ours)
    np.testing.assert_allclose(found[0], expected[0], atol=LIMIT, rtol=0)
    bare, _ = pretrained.load_encoder(tmp_path)
    assert [layer.name for layer in bare.layers][-1] == "encoder"  # no pooler


def without_query(tensors):
    return {name: x for name, x in tensors.items() if "query.weight" not in name}


def with_more(tensors):
    return tensors | {"bert.encoder.layer.7.output.dense.weight": np.ones((2, 2), "f")}


BAD = [
    (dict(head="translator"), {}, r"head must be one of \['sequence_c.*'translator'"),
    (dict(head="token_classifier"), {}, "head must be one that the checkpoint has"),
    ({}, dict(model_type="gpt2"), "model_type must be one of bert, roberta, distilbe"),
    ({}, dict(is_decoder=True), "is_decoder must be false; received True"),
    ({}, dict(position_embedding_type="relative_key"), "must be 'absolute'; received"),
    ({}, dict(hidden_act="tanh"), "hidden_act must be one of relu, gelu,"),
    ({}, dict(change=without_query), "must not be missing; received .*query.weight"),
    ({}, dict(change=with_more), "must not be left over; received .*layer.7"),
    ({}, dict(intermediate_size=41), r"of another shape; .*\(40, 24\) instead of"),
]


@marked(ON_TORCH)
@pytest.mark.parametrize("options, changes, message", BAD)
def test_what_is_refused(tmp_path, options, changes, message):
    write(tmp_path, "Bert")
    rewritten(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        pretrained.load_encoder(tmp_path, **options)
