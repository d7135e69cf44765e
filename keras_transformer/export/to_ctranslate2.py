"""A run as a CTranslate2 model."""

import dataclasses

import numpy as np

from keras_transformer.config import DecodingConfig
from keras_transformer.export.ctranslate2_translator import CTranslate2Translator
from keras_transformer.export.export_directory import (
    Check,
    check_sentences,
    new_export,
    write_config,
)
from keras_transformer.runs.extras import needed
from keras_transformer.runs.run import (
    Run,
    save_tokenizers,
)
from keras_transformer.text.sentence_format import SentenceFormat

# Largest difference of a token's mean log-probability, in nats.
TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 0.05, "int8": 0.2}
# Of a sinusoidal table, at least: a CTranslate2 model cannot go beyond.
POSITIONS = 2048
ACTIVATIONS = {"relu": "RELU", "gelu": "GELU", "silu": "SWISH"}


def ctranslate2(run, out, quantization="float32", overwrite=False, **decoding):
    """Write a CTranslate2 model with the tokenizer beside it: for `ctranslate2.Translator`, or `CTranslate2Translator`.

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
        ValueError: if the model or the search is nothing that CTranslate2 has, the
            result differs from the model, or `out` exists and is not to be overwritten.
            Nothing is written then.
        ImportError: if CTranslate2 is not installed, or for bfloat16 PyTorch is not.
    """
    if quantization not in TOLERANCES:
        raise ValueError(
            f"quantization must be one of {', '.join(TOLERANCES)}; received {quantization!r}"
        )
    run = Run.open(run)
    config = run.config.model
    search = DecodingConfig(**{"penalty": "power", **decoding})
    check_model(config)
    CTranslate2Translator.check_search(search)
    needed("ctranslate2", extra="ctranslate2")
    if quantization == "bfloat16":
        needed("torch", extra="torch")
    with new_export(run, out, overwrite) as aside:
        tokenizers = run.tokenizers
        model = run.model("float32")
        positions = config.longest
        if positions is None:
            most = config.max_positions - 1 if begins_with_nothing(model) else POSITIONS
            positions = max(most, search.max_source_length + search.extra_length)
        save_tokenizers(aside, *tokenizers)
        spec = specification(model, tokenizers, positions)
        spec.optimize(quantization=quantization)
        spec.save(str(aside))
        engine = CTranslate2Translator.open(
            aside, tokenizers, search, positions, device="cpu"
        )
        check = compare(run, model, tokenizers, engine, quantization)
        more = dict(quantization=quantization, positions=positions)
        write_config(
            aside, "ctranslate2", config, search, check, ["ctranslate2"], **more
        )
    return check


def check_model(config):
    """Raise a `ValueError` if CTranslate2 has no such model."""
    if config.has_final_norm and not config.norm_first:
        raise ValueError(
            "CTranslate2 needs final_norm=False with norm='post'; received True"
        )
    head = config.d_model // config.num_heads
    sizes = (config.key_dim or head, config.value_dim or head)
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"CTranslate2 needs value_dim equal to key_dim; received {sizes[1]} and {sizes[0]}"
        )


def compare(run, model, tokenizers, engine, quantization):
    from keras_transformer.decoding.translator import Translator

    translator = Translator(
        model, *tokenizers, config=dataclasses.replace(engine.config, batch_size=8)
    )
    # It has no padding then, whose share of the softmax goes to the others.
    if begins_with_nothing(model):
        bias = array(model.decoder.output_bias).copy()
        bias[model.config.pad_id] = -1e9
        model.decoder.output_bias.assign(bias)
    differences, shapes = [], []
    for sources, targets in check_sentences(run):
        tokens = np.array([len(ids) + 1 for ids in tokenizers[1].encode(targets)])
        difference = (
            np.subtract(
                engine.score(sources, targets), translator.score(sources, targets)
            )
            / tokens
        )
        differences.append(np.abs(difference).max())
        longest = (
            max(map(len, tokenizers[0].encode(sources)))
            + translator.sentence_format.around_source
        )
        shapes.append((len(sources), longest))
    return Check(
        "log-probability per token",
        tuple(shapes),
        float(np.max(differences)),
        TOLERANCES[quantization],
    )


def specification(model, tokenizers, positions):
    """The `ctranslate2.specs.TransformerSpec` of a `Transformer`, with a table of so many positions."""
    from ctranslate2.specs import common_spec, transformer_spec

    config = model.config
    options = dict(
        pre_norm=config.norm_first,
        no_final_norm=not config.has_final_norm,
        layernorm_embedding=config.embedding_norm,
        activation=common_spec.Activation[ACTIVATIONS[config.activation]],
        head_dim=config.key_dim,
    )
    encoder = transformer_spec.TransformerEncoderSpec(
        config.encoder_layers, config.num_heads, **options
    )
    decoder = transformer_spec.TransformerDecoderSpec(
        config.decoder_layers, config.num_heads, **options
    )
    fill_stack(encoder, encoder.embeddings[0], model.encoder, positions)
    fill_stack(decoder, decoder.embeddings, model.decoder, positions)
    fill_projection(decoder, model.decoder)
    spec = transformer_spec.TransformerSpec(encoder, decoder)
    source, target = (tokenizer.pieces for tokenizer in tokenizers)
    special, sentence_format = tokenizers[1].special, SentenceFormat.of(*tokenizers)
    spec.config.unk_token, spec.config.eos_token = (
        target[special.unknown],
        target[special.end],
    )
    spec.config.bos_token = spec.config.decoder_start_token = target[special.begin]
    if begins_with_nothing(model):
        drop_padding(spec, special.pad)
        source, target = (
            pieces[: special.pad] + pieces[special.pad + 1 :]
            for pieces in (source, target)
        )
        # Any token.
        spec.config.bos_token = spec.config.decoder_start_token = spec.config.eos_token
    spec.register_source_vocabulary(source)
    spec.register_target_vocabulary(target)
    spec.config.layer_norm_epsilon = config.layer_norm_epsilon
    spec.config.add_source_eos = sentence_format.source_suffix[-1:] == (
        sentence_format.end,
    )
    spec.validate()
    return spec


def begins_with_nothing(model):
    """Whether the decoder starts from a zero vector, as Marian's do: that of padding, which is nothing else then."""
    config, decoder = model.config, model.decoder
    if config.begin_id != config.pad_id or decoder.output_bias is None:
        return False
    return not np.any(array(decoder.embedding.embeddings[config.pad_id]))


def drop_padding(spec, pad):
    """Take the row of padding out of all matrices of a vocabulary: CTranslate2 begins with zeros without it."""
    spec.decoder.start_from_zero_embedding = True
    for layer in (
        spec.encoder.embeddings[0],
        spec.decoder.embeddings,
        spec.decoder.projection,
    ):
        layer.weight = np.delete(layer.weight, pad, axis=0)
    if spec.decoder.projection.has_bias():
        spec.decoder.projection.bias = np.delete(spec.decoder.projection.bias, pad)


def fill_projection(spec, decoder):
    matrix = (
        decoder.embedding.embeddings
        if decoder.output_matrix is None
        else decoder.output_matrix
    )
    spec.projection.weight = array(matrix)
    if decoder.output_bias is not None and np.any(array(decoder.output_bias)):
        spec.projection.bias = array(decoder.output_bias)


def position_table(stack, positions):
    """The first vectors of a stack, and one row more than we use.

    To score a translation that was cut at its limit, CTranslate2 adds an end token:
    learned positions end in the same row twice.
    """
    config, rows = stack.config, np.arange(positions + 1)
    if config.positions == "sinusoidal_halves":  # in float64, as Marian's own
        angles = rows[:, None] / np.power(
            10000, np.arange(0, config.d_model, 2) / config.d_model
        )
        return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(
            "float32"
        )
    rows = np.minimum(rows, positions - 1)
    return array(stack.embedding.encode(rows[None], second=stack.is_second)[0])


def fill_stack(spec, embedding_spec, stack, positions):
    """Put the weights of our `Encoder` or `Decoder` into theirs."""
    embedding_spec.weight = array(stack.embedding.embeddings)
    spec.scale_embeddings = (
        stack.config.d_model**0.5 if stack.config.scale_embedding else 1.0
    )
    spec.position_encodings.encodings = position_table(stack, positions)
    for layer, block in zip(spec.layer, stack.blocks, strict=True):
        attention = block.self_attention
        fill_linear(
            layer.self_attention.linear[0],
            attention.query,
            attention.key,
            attention.value,
        )
        fill_linear(layer.self_attention.linear[1], attention.output_projection)
        fill_norm(layer.self_attention.layer_norm, block.self_attention_norm)
        if hasattr(block, "cross_attention"):
            attention = block.cross_attention
            fill_linear(layer.attention.linear[0], attention.query)
            fill_linear(layer.attention.linear[1], attention.key, attention.value)
            fill_linear(layer.attention.linear[2], attention.output_projection)
            fill_norm(layer.attention.layer_norm, block.cross_attention_norm)
        fill_linear(layer.ffn.linear_0, block.feed_forward.expand)
        fill_linear(layer.ffn.linear_1, block.feed_forward.contract)
        fill_norm(layer.ffn.layer_norm, block.feed_forward_norm)
    for theirs, ours in (
        ("layernorm_embedding", stack.embedding_norm),
        ("layer_norm", stack.final_norm),
    ):
        if ours is not None:
            fill_norm(getattr(spec, theirs), ours)


def fill_linear(spec, *layers):
    """One matrix of several `Dense` layers, (out, in) as theirs are."""
    spec.weight = np.concatenate([array(layer.kernel).T for layer in layers])
    if layers[0].use_bias:
        spec.bias = np.concatenate([array(layer.bias) for layer in layers])


def fill_norm(spec, layer):
    spec.gamma, spec.beta = array(layer.gamma), array(layer.beta)


def array(variable):
    from keras import ops

    return np.ascontiguousarray(ops.convert_to_numpy(variable), dtype="float32")
