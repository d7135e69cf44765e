"""A run as a CTranslate2 model."""

import numpy as np
from keras import ops

from ..config import DecodingConfig, one_of
from ..decoding.translator import Translator
from ..process.extras import needed
from ..runs.run import Run, save_tokenizers
from ..text.sentence_format import SentenceFormat
from .comparison import check_batches, compare
from .ctranslate2_translator import (
    CTranslate2Translator,
    adds_end,
    check_own_search,
)
from .export_directory import check_format, new_export

# Largest difference of a token's mean log-probability, in nats.
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 0.05, "int8": 0.2}
# Rows of a sinusoidal table, at least: a CTranslate2 model cannot go beyond them.
POSITIONS = 2048
ACTIVATIONS = {
    "relu": "RELU",
    "gelu": "GELU",
    "gelu_tanh": "GELUTanh",
    "silu": "SWISH",
}


def ctranslate2(run, out, quantization="float32", overwrite=False, **decoding):
    """Write a CTranslate2 model; `CTranslate2Translator` translates with it.

    CTranslate2 has the penalty `length^alpha` only, so that is the default here. In the
    directory: `model.bin`, the vocabularies, `config.json`, `manifest.json` and the
    SentencePiece model.

    Args:
        run: a run directory, trained on any backend.
        out: directory to make.
        quantization: `"float32"`, `"float16"`, `"bfloat16"` or `"int8"`: how the
            weights are stored.
        overwrite: replace an export that is there.
        **decoding: fields of `DecodingConfig` that are its defaults from then on.

    Returns:
        the `Check`: log-probabilities of given translations, per token, beside the
        model's in float32.

    Raises:
        ValueError: if CTranslate2 has no such model or search, the result differs from
            the model, or `out` exists and is not to be overwritten. Nothing is written
            then.
        ImportError: if CTranslate2 is not installed, or for bfloat16 PyTorch is not.
    """
    one_of("quantization", quantization, TOLERANCES)
    run = Run.open(run)
    search = run.search(DecodingConfig(**{"penalty": "power", **decoding}))
    check_own_search(search)
    check_format(run, "ctranslate2")
    if quantization == "bfloat16":
        needed("torch", extra="torch")
    export = new_export(run, out, overwrite, "ctranslate2", "ctranslate2")
    with export as (aside, about):
        tokenizers = run.tokenizers
        model = run.model("float32")
        longest = search.longest_source + search.extra_length
        positions = model.config.longest or max(POSITIONS, longest)
        save_tokenizers(aside, *tokenizers)
        spec = specification(model, tokenizers, positions)
        spec.optimize(quantization=quantization)
        spec.save(str(aside))
        theirs = CTranslate2Translator(aside, tokenizers, search, positions, "cpu")
        ours = Translator(model, *tokenizers, theirs.config)
        check = compare_scores(run, ours, theirs, TOLERANCES[quantization])
        about |= dict(
            decoding=search,
            check=check,
            quantization=quantization,
            positions=positions,
        )
    return check


def compare_scores(run, ours, theirs, tolerance):
    """The `Check` of what another translator than ours says of given translations."""

    def answers(batch):
        texts = (batch.sources, batch.targets)
        ids = theirs.target_tokenizer.encode(batch.targets)
        tokens = np.array([len(row) + 1 for row in ids])
        return [ours.score(*texts), theirs.score(*texts)] / tokens

    of = "log-probability per token"
    return compare(of, tolerance, check_batches(run), answers)


def specification(model, tokenizers, positions):
    """The `TransformerSpec` of a `Transformer`, with so many positions."""
    spec = empty_specification(model.config)
    fill_stack(spec.encoder, spec.encoder.embeddings[0], model.encoder, positions)
    fill_stack(spec.decoder, spec.decoder.embeddings, model.decoder, positions)
    fill_projection(spec.decoder, model)
    set_vocabularies(spec, model, tokenizers)
    spec.validate()
    return spec


def empty_specification(config):
    """The `TransformerSpec` of a model's configuration, without weights."""
    from ctranslate2.specs import common_spec, transformer_spec

    options = dict(
        num_heads=config.num_heads,
        pre_norm=config.norm_first,
        no_final_norm=not config.has_final_norm,
        layernorm_embedding=config.embedding_norm,
        activation=common_spec.Activation[ACTIVATIONS[config.activation]],
        head_dim=config.key_dim,
    )
    return transformer_spec.TransformerSpec(
        transformer_spec.TransformerEncoderSpec(config.encoder_layers, **options),
        transformer_spec.TransformerDecoderSpec(config.decoder_layers, **options),
    )


def fill_projection(spec, model):
    """Put the matrix and the bias of the logits into a decoder's specification."""
    projection = spec.projection
    if model.config.tie_output:
        projection.weight = spec.embeddings.weight
    else:
        fill_linear(projection, model.decoder.output_projection)
    bias = model.decoder.output_bias
    if bias is not None and np.any(array(bias)):
        projection.bias = array(bias)


def set_vocabularies(spec, model, tokenizers):
    """Give a filled specification its vocabularies and special tokens."""
    config = model.config
    source, target = (list(tokenizer.pieces) for tokenizer in tokenizers)
    special = config.special
    settings = spec.config
    settings.unk_token = target[tokenizers[1].special.unknown]
    settings.eos_token = target[special.end]
    begin = target[special.begin]
    # Marian's decoder starts from padding's vector, which is zero.
    has_bias = model.decoder.output_bias is not None
    is_marian = has_bias and special.begin == special.pad
    if is_marian and not np.any(spec.decoder.embeddings.weight[special.pad]):
        drop_padding(spec, model)
        del source[special.pad]
        del target[special.pad]
        begin = settings.eos_token  # any token
    settings.bos_token = begin
    settings.decoder_start_token = begin
    settings.layer_norm_epsilon = config.layer_norm_epsilon
    settings.add_source_eos = adds_end(SentenceFormat.of(*tokenizers))
    spec.register_source_vocabulary(source)
    spec.register_target_vocabulary(target)


def drop_padding(spec, model):
    """Take padding out of all matrices: CTranslate2 begins with zeros then.

    It leaves the model's softmax as well, so that the two can be compared.
    """
    pad = model.config.pad_id
    decoder = spec.decoder
    decoder.start_from_zero_embedding = True
    projection = decoder.projection
    for layer in (*spec.encoder.embeddings, decoder.embeddings, projection):
        layer.weight = np.delete(layer.weight, pad, axis=0)
    bias = array(model.decoder.output_bias).copy()
    if projection.has_bias():
        projection.bias = np.delete(bias, pad)
    bias[pad] = -1e9
    model.decoder.output_bias.assign(bias)


def position_table(stack, positions):
    """The first vectors of a stack, and one row more than we use.

    To score a translation that was cut at its limit, CTranslate2 adds an end token:
    learned positions end in the same row twice.
    """
    config = stack.config
    width = config.d_model
    rows = np.arange(positions + 1)[:, None]
    # In float64, as Marian's own.
    if config.positions == "sinusoidal_halves":
        rates = 10000 ** (np.arange(0, width, 2) / width)
        angles = (rows + config.first_position) / rates
        return array(np.concatenate([np.sin(angles), np.cos(angles)], axis=1))
    rows = np.minimum(rows, positions - 1)
    return array(stack.embedding.encode(rows.T)[0])


def fill_stack(spec, embedding_spec, stack, positions):
    """Put the weights of our `Encoder` or `Decoder` into theirs."""
    config = stack.config
    embedding_spec.weight = array(stack.embedding.token_embedding.embeddings)
    spec.scale_embeddings = config.d_model**0.5 if config.scale_embedding else 1.0
    spec.position_encodings.encodings = position_table(stack, positions)
    if config.embedding_norm:
        fill_norm(spec.layernorm_embedding, stack.embedding_norm)
    if config.has_final_norm:
        fill_norm(spec.layer_norm, stack.final_norm)
    for layer, block in zip(spec.layer, stack.blocks, strict=True):
        own = block.self_attention
        fill_linear(layer.self_attention.linear[0], own.query, own.key, own.value)
        fill_output(layer.self_attention, own, block.self_attention_residual)
        if stack.side == "target":
            other = block.cross_attention
            fill_linear(layer.attention.linear[0], other.query)
            fill_linear(layer.attention.linear[1], other.key, other.value)
            fill_output(layer.attention, other, block.cross_attention_residual)
        fill_linear(layer.ffn.linear_0, block.feed_forward.expand)
        fill_linear(layer.ffn.linear_1, block.feed_forward.contract)
        fill_norm(layer.ffn.layer_norm, block.feed_forward_residual.norm)


def fill_output(spec, attention, residual):
    fill_linear(spec.linear[-1], attention.output_projection)
    fill_norm(spec.layer_norm, residual.norm)


def fill_linear(spec, *layers):
    """One matrix of several `Dense` layers, (out, in) as theirs are."""
    spec.weight = np.vstack([array(layer.kernel).T for layer in layers])
    if layers[0].use_bias:
        spec.bias = np.hstack([array(layer.bias) for layer in layers])


def fill_norm(spec, layer):
    spec.gamma = array(layer.gamma)
    spec.beta = array(layer.beta)


def array(variable):
    return np.ascontiguousarray(ops.convert_to_numpy(variable), dtype="float32")
