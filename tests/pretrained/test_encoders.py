"""BERT, RoBERTa and DistilBERT give what `transformers` gives, with every head."""

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from layer_checks import ON_TORCH, marked, numpy  # noqa: E402

from keras_transformer import pretrained  # noqa: E402

SIZES = dict(
    vocab_size=83,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=31,
)
DISTILBERT = dict(
    vocab_size=83,
    dim=24,
    n_layers=2,
    n_heads=3,
    hidden_dim=40,
    max_position_embeddings=31,
)
FAMILIES = {
    "Bert": dict(SIZES, type_vocab_size=2),
    "Roberta": dict(SIZES, type_vocab_size=1, pad_token_id=1),
    "DistilBert": DISTILBERT,
}
HEADS = {
    None: "Model",
    "masked_language_model": "ForMaskedLM",
    "sequence_classifier": "ForSequenceClassification",
    "token_classifier": "ForTokenClassification",
    "span_classifier": "ForQuestionAnswering",
}
CASES = [(family, head) for family in FAMILIES for head in HEADS]
LIMIT = 2e-6


def write(folder, family, head=None, **changes):
    """Write a checkpoint of random weights; the model of `transformers`."""
    labels = 2 if head == "span_classifier" else 5
    settings = {**FAMILIES[family], "num_labels": labels, **changes}
    config = getattr(transformers, f"{family}Config")(**settings)
    torch.manual_seed(0)
    model = getattr(transformers, family + HEADS[head])(config).eval()
    randomise(model)
    model.save_pretrained(folder)
    return model


def randomise(model):
    """Let all tensors be random, norms and biases too; embeddings are small."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            is_norm = "norm.weight" in name.lower()
            scale = 0.2 if tensor.ndim == 1 else tensor.shape[-1] ** -0.5
            is_table = "embeddings" in name or len(tensor) == 83
            if is_table and tensor.ndim == 2:
                scale = 0.02
            tensor.copy_(scale * torch.randn(tensor.shape) + is_norm)


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
