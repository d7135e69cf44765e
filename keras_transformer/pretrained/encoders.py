"""BERT, RoBERTa and DistilBERT: settings, names, and a checkpoint as a Keras model."""

import dataclasses
import types

import keras

from ..config import EncoderConfig, expect, one_of, weights
from ..models import heads
from ..models.encoder import Encoder
from ..process.bars import describe, doing
from .checkpoint import fetch, open_checkpoint
from .load import matched, read_into
from .settings import Settings
from .tensors import ATTENTION, FEED_FORWARD, Tensor, named, stack_weights
from .tokenizers.files import read_large_json
from .tokenizers.library import read_encoder_tokenizer

SWITCHES = dict(
    embedding_norm=True,
    positions="learned",
    scale_embedding=False,
    attention_bias=True,
)
BERT_FIELDS = {
    "vocab_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "d_model": "hidden_size",
    "d_ff": "intermediate_size",
    "num_heads": "num_attention_heads",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "layer_norm_epsilon": "layer_norm_eps",
    "token_types": "type_vocab_size",
    "max_positions": "max_position_embeddings",
    "activation": "hidden_act",
    "pad_id": "pad_token_id",
}
DISTILBERT_FIELDS = {
    "vocab_size": "vocab_size",
    "num_layers": "n_layers",
    "d_model": "dim",
    "d_ff": "hidden_dim",
    "num_heads": "n_heads",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "max_positions": "max_position_embeddings",
    "activation": "activation",
    "pad_id": "pad_token_id",
}
# Each layer of a model, and its name in a checkpoint; # is a block's number.
BERT_LAYERS = {
    "token_type_embedding": "embeddings.token_type_embeddings",
    "embedding_norm": "embeddings.LayerNorm",
    f"{ATTENTION}.query": "encoder.layer.#.attention.self.query",
    f"{ATTENTION}.key": "encoder.layer.#.attention.self.key",
    f"{ATTENTION}.value": "encoder.layer.#.attention.self.value",
    f"{ATTENTION}.output_projection": "encoder.layer.#.attention.output.dense",
    f"{ATTENTION}_residual.norm": "encoder.layer.#.attention.output.LayerNorm",
    f"{FEED_FORWARD}.expand": "encoder.layer.#.intermediate.dense",
    f"{FEED_FORWARD}.contract": "encoder.layer.#.output.dense",
    f"{FEED_FORWARD}_residual.norm": "encoder.layer.#.output.LayerNorm",
}
DISTILBERT_LAYERS = {
    "embedding_norm": "embeddings.LayerNorm",
    f"{ATTENTION}.query": "transformer.layer.#.attention.q_lin",
    f"{ATTENTION}.key": "transformer.layer.#.attention.k_lin",
    f"{ATTENTION}.value": "transformer.layer.#.attention.v_lin",
    f"{ATTENTION}.output_projection": "transformer.layer.#.attention.out_lin",
    f"{ATTENTION}_residual.norm": "transformer.layer.#.sa_layer_norm",
    f"{FEED_FORWARD}.expand": "transformer.layer.#.ffn.lin1",
    f"{FEED_FORWARD}.contract": "transformer.layer.#.ffn.lin2",
    f"{FEED_FORWARD}_residual.norm": "transformer.layer.#.output_layer_norm",
}
LANGUAGE_MODEL = "masked_language_model"
# The layers of each head; without one there is a pooler, perhaps.
HEADS = {
    None: ("pooler",),
    "sequence_classifier": ("pooler", "classifier"),
    "token_classifier": ("classifier",),
    "span_classifier": ("classifier",),
    LANGUAGE_MODEL: (
        f"{LANGUAGE_MODEL}.transform",
        f"{LANGUAGE_MODEL}.norm",
        LANGUAGE_MODEL,
    ),
}
# What all checkpoints call those of two heads.
TOKEN_HEADS = {"token_classifier": ["classifier"], "span_classifier": ["qa_outputs"]}
BERT_POOLER = ("bert.pooler.dense", "pooler.dense")
ROBERTA_POOLER = ("roberta.pooler.dense", "pooler.dense")


@dataclasses.dataclass(frozen=True)
class Family:
    """A row of the table: how one model type differs from the others.

    Attributes:
        fields: our fields, and what config.json calls them.
        layers: our layers, and what a checkpoint calls them.
        heads: what a checkpoint calls the layers of `HEADS`, but for `TOKEN_HEADS`.
        switches: fields that are fixed.
        pooling: the activation of the pooler.
        skips_rows: whether positions are counted from the padding's id, plus one.
    """

    fields: dict
    layers: dict
    heads: dict
    switches: dict = dataclasses.field(default_factory=dict)
    pooling: str = "tanh"
    skips_rows: bool = False


FAMILIES = {
    "bert": Family(
        BERT_FIELDS,
        BERT_LAYERS,
        {
            None: [BERT_POOLER],
            "sequence_classifier": [BERT_POOLER, "classifier"],
            LANGUAGE_MODEL: [
                "cls.predictions.transform.dense",
                "cls.predictions.transform.LayerNorm",
                ("cls.predictions", "cls.predictions.decoder"),
            ],
        },
    ),
    "roberta": Family(
        BERT_FIELDS,
        BERT_LAYERS,
        {
            None: [ROBERTA_POOLER],
            "sequence_classifier": ["classifier.dense", "classifier.out_proj"],
            LANGUAGE_MODEL: [
                "lm_head.dense",
                "lm_head.layer_norm",
                ("lm_head", "lm_head.decoder"),
            ],
        },
        skips_rows=True,
    ),
    "distilbert": Family(
        DISTILBERT_FIELDS,
        DISTILBERT_LAYERS,
        {
            None: [],
            "sequence_classifier": ["pre_classifier", "classifier"],
            LANGUAGE_MODEL: ["vocab_transform", "vocab_layer_norm", "vocab_projector"],
        },
        dict(layer_norm_epsilon=1e-12),
        pooling="relu",
    ),
}

# Names of a checkpoint that begin so are of the stack; all others are heads'.
STACK = ("embeddings", "encoder", "transformer")


def load_encoder(source, head=None, revision=None):
    """A Hugging Face checkpoint of BERT, RoBERTa or DistilBERT as a Keras model.

    It is an ordinary `keras.Model`, for `fit`, `save` and the rest, on every backend;
    its layers `encoder` and `pooler` go into models with other heads. Nothing in the
    checkpoint is executed.

    Args:
        source: a folder that holds a checkpoint, or a name on the Hugging Face hub:
            `"google-bert/bert-base-uncased"`.
        head: which of the checkpoint's heads the model has: `"sequence_classifier"`,
            `"token_classifier"`, `"span_classifier"` or `"masked_language_model"`, as
            the functions of these names; none when absent, but the pooler if there is
            one, as `encoder_model`.
        revision: of a name on the hub: a branch, tag or commit.

    Returns:
        the `keras.Model`, and the `EncoderTokenizer` that makes its inputs of texts;
        None if the checkpoint has no files of one.

    Raises:
        ValueError: if the checkpoint is of another family or has no such head, tensors
            are missing, left over or of another shape, or a file cannot be read.
        ImportError: if what reads a file of it is not installed.

    Example (needs the hub):
        model, tokenizer = pretrained.load_encoder("google-bert/bert-base-uncased")
        model(tokenizer(["Two young girls are sitting on a bench."]))["pooled"]
    """
    with doing(f"fetching {source}"):
        folder, _ = fetch(source, revision)
        describe(f"reading {source}")
        settings = Settings(read_large_json(folder / "config.json"))
        kind = one_of("model_type", settings.get("model_type"), FAMILIES)
        family = FAMILIES[kind]
        known = [name for name in HEADS if name]
        expect(head is None or head in known, "head", f"be one of {known}", head)
        config = encoder_config(family, settings)
        checkpoint = open_checkpoint(folder)
        layers = head_layers(family, head, checkpoint)
        classes = classes_of(head, layers, checkpoint)
        own = head_weights(layers, config, classes)
        tensors = [
            *stack_tensors(kind, config, layers),
            *named(own, layers),
        ]
        unused = set(checkpoint.shapes) - stack_names(kind, checkpoint)
        chosen = matched(checkpoint, tensors, config.num_layers, unused)

        def make():
            return model_parts(config, family, head, layers, classes)

        model = read_into(make, checkpoint, chosen).model
        return model, read_encoder_tokenizer(folder, config)


def encoder_config(family, settings):
    """The `EncoderConfig` of a checkpoint's `config.json`."""
    decodes = settings.get("is_decoder", False)
    expect(not decodes, "is_decoder", "be false", decodes)
    kind = settings.get("position_embedding_type", "absolute")
    expect(kind == "absolute", "position_embedding_type", "be 'absolute'", kind)
    found = settings.fields(family.fields)
    if family.skips_rows:
        found["max_positions"] -= found["pad_id"] + 1
    # Tokens that mean something to decoders only; no padding, whatever it is.
    other = 1 if found["pad_id"] == 0 else 0
    return EncoderConfig(
        **found, begin_id=other, end_id=other, **SWITCHES, **family.switches
    )


def head_layers(family, head, checkpoint):
    """The layers of a head and their names in the checkpoint, which may lack a pooler.

    If it lacks another, a `ValueError` says so.
    """
    layers = HEADS[head]
    found = {}
    names_by_head = family.heads | TOKEN_HEADS
    for layer, names in zip(layers, names_by_head[head]):
        names = [names] if isinstance(names, str) else names
        starts = tuple(f"{name}." for name in names)
        if any(name.startswith(starts) for name in checkpoint.shapes):
            found[layer] = names
    must = "be one that the checkpoint has"
    expect(head is None or len(found) == len(layers), "head", must, head)
    return found


def classes_of(head, layers, checkpoint):
    """How many classes the checkpoint's classifier tells apart, if it has one."""
    if head == "span_classifier":  # first and last
        return 2
    (name,) = layers.get("classifier", ["none"])
    shape = checkpoint.shapes.get(f"{name}.weight", (1,))
    return shape[0]


def head_weights(layers, config, classes):
    """The path and the shape of each weight of a head."""
    width = config.d_model
    for layer in layers:
        if layer == LANGUAGE_MODEL:
            yield f"{layer}.bias", (config.vocab_size,)
        elif layer.endswith("norm"):
            yield from weights.norm(layer, config)
        else:
            rows = classes if layer == "classifier" else width
            yield from weights.dense(layer, (rows, width))


def stack_names(kind, checkpoint):
    """The names in a checkpoint that are the stack's."""
    found = set()
    for name in checkpoint.shapes:
        if name.removeprefix(f"{kind}.").partition(".")[0] in STACK:
            found.add(name)
    return found


def stack_tensors(kind, config, head):
    """The `Tensor`s of the encoder; its embedding may be a head's matrix as well."""
    prefixes = (f"{kind}.", "")
    family = FAMILIES[kind]
    skipped = config.pad_id + 1 if family.skips_rows else 0
    names = {}
    for table in ("word", "position"):
        name = f"embeddings.{table}_embeddings.weight"
        names[table] = tuple(prefix + name for prefix in prefixes)
    outputs = tuple(f"{name}.weight" for name in head.get(LANGUAGE_MODEL, ()))
    path = "encoder.embedding"
    shape = (config.vocab_size, config.d_model)
    matrix = f"{path}.token_embedding.embeddings"
    yield Tensor(matrix, names["word"] + outputs, shape)
    shape = (config.max_positions + skipped, config.d_model)
    table = f"{path}.position_table"
    yield Tensor(table, names["position"], shape, skipped=skipped)
    found = [*stack_weights(config, "source")]
    if config.token_types:
        shape = (config.token_types, config.d_model)
        found.append(("token_type_embedding.embeddings", shape))
    yield from named(found, family.layers, "encoder.", prefixes)


def model_parts(config, family, head, layers, classes):
    """A new model and its layers by name, as attributes."""
    encoder = Encoder(config, dtype="float32", name="encoder")
    options = {}
    if "pooler" in layers:
        options["pooler"] = keras.layers.Dense(
            config.d_model, family.pooling, dtype="float32", name="pooler"
        )
    if head in ("sequence_classifier", "token_classifier"):
        options["classes"] = classes
    model = getattr(heads, head or "encoder_model")(encoder, **options)
    found = {layer.name: layer for layer in model.layers}
    return types.SimpleNamespace(**{**found, "encoder": encoder, "model": model})
