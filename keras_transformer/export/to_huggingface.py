"""A run as a folder that `transformers` reads as a Marian model."""

import dataclasses
import json

import numpy as np
from safetensors.numpy import save_file

from keras_transformer.export.export_directory import (
    Check,
    check_sentences,
    new_export,
    write_config,
)
from keras_transformer.pretrained.tokenizers.marian import MarianTokenizer
from keras_transformer.runs.extras import needed
from keras_transformer.runs.run import Run
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.tokenizer import Tokenizer

TOLERANCE = 1e-5  # of a logit, relative to the largest one where that is above 1
ACTIVATIONS = {"relu": "relu", "gelu": "gelu", "silu": "swish"}


def huggingface(run, out, overwrite=False):
    """Write a Marian checkpoint: `transformers.AutoModelForSeq2SeqLM` and `AutoTokenizer` load the directory.

    `model.safetensors`, `config.json`, `generation_config.json`, the SentencePiece
    models and their vocabularies. As here, padding and the begin token are never
    generated. Positions end at `max_positions`; others than Marian's are written as
    tensors, which `transformers` reads and does not write again. A target language that
    was chosen at the import is not in the folder: there texts begin with their
    `>>xx<<`.

    Args:
        run: a run directory, trained on any backend, or imported.
        out: directory to make.
        overwrite: replace an export that is there.

    Returns:
        the `Check`: logits of `transformers` beside the model's.

    Raises:
        ValueError: if Marian has no such model or tokenizer, the result differs from
            the model, or `out` exists and is not to be overwritten. Nothing is written
            then.
        ImportError: if torch or transformers is not installed.
    """
    run = Run.open(run)
    config = run.config.model
    check_model(config)
    needed("torch", "transformers", extra="huggingface")
    with new_export(run, out, overwrite) as aside:
        tokenizers = run.tokenizers
        write_tokenizers(aside, tokenizers)
        model = run.model("float32")
        save_file(arrays(model), aside / "model.safetensors", {"format": "pt"})
        for name, settings in (
            ("config.json", marian_config(config)),
            ("generation_config.json", generation(config)),
        ):
            (aside / name).write_text(
                json.dumps(settings, indent=2) + "\n", encoding="utf-8"
            )
        check = compare(run, model, tokenizers, aside)
        write_config(
            aside, "huggingface", config, None, check, ["torch", "transformers"]
        )
    return check


def check_model(config):
    """Raise a `ValueError` if Marian has no such model."""
    head = config.d_model // config.num_heads
    for name, expected in (
        ("norm_first", False),
        ("has_final_norm", False),
        ("embedding_norm", False),
        ("layer_norm_epsilon", 1e-5),
    ):
        if (found := getattr(config, name)) != expected:
            raise ValueError(
                f"Marian needs {name.removeprefix('has_')}={expected!r}; received {found!r}"
            )
    if (config.key_dim or head, config.value_dim or head) != (head, head):
        sizes = f"{config.key_dim} and {config.value_dim}"
        raise ValueError(
            f"Marian needs key_dim and value_dim of d_model / heads = {head}; received {sizes}"
        )
    if config.share_embeddings and not config.tie_output:
        raise ValueError(
            "Marian needs tie_output=True with one matrix for both vocabularies; received False"
        )


def marian_config(config):
    """What transformers' `MarianConfig` has for a `TransformerConfig`."""
    stacks = {}
    for stack, d_ff in zip(("encoder", "decoder"), config.d_ffs):
        sizes = {"ffn_dim": d_ff, "attention_heads": config.num_heads, "layerdrop": 0.0}
        stacks |= {f"{stack}_{name}": value for name, value in sizes.items()}
    same = (
        "encoder_layers",
        "decoder_layers",
        "d_model",
        "dropout",
        "attention_dropout",
        "scale_embedding",
    )
    return (
        stacks
        | {name: getattr(config, name) for name in same}
        | {
            "model_type": "marian",
            "architectures": ["MarianMTModel"],
            "is_encoder_decoder": True,
            "vocab_size": config.source_vocab_size,
            "decoder_vocab_size": config.target_vocab_size,
            "share_encoder_decoder_embeddings": config.share_embeddings,
            "tie_word_embeddings": config.tie_output,
            "activation_function": ACTIVATIONS[config.activation],
            "activation_dropout": 0.0,
            "max_position_embeddings": config.max_positions,
            "static_position_embeddings": True,
            "pad_token_id": config.pad_id,
            "eos_token_id": config.end_id,
            "bos_token_id": config.end_id,
            "decoder_start_token_id": config.begin_id,
            "forced_eos_token_id": None,
            "dtype": "float32",
        }
    )


def generation(config):
    """How `generate` is to search unless told otherwise."""
    return {
        "bad_words_ids": [[token] for token in config.never_generated],
        "decoder_start_token_id": config.begin_id,
        "eos_token_id": config.end_id,
        "pad_token_id": config.pad_id,
        "max_length": config.max_positions,
        "num_beams": 4,
    }


def arrays(model):
    """The tensors of a Marian checkpoint by their names; biases that our model does not have are zeros."""
    from keras import ops

    from keras_transformer.pretrained.names import tensors

    config, found = model.config, {}
    layout = dict(
        output_bias=True,
        attention_bias=True,
        positions="sinusoidal_halves",
        first_position=0,
    )
    for tensor in tensors(dataclasses.replace(config, **layout)):
        variable = tensor.variable(model)
        array = (
            np.zeros(tensor.shape)
            if variable is None
            else ops.convert_to_numpy(variable)
        )
        found[tensor.names[0]] = tensor.theirs(array)
    # Others are read from the file.
    if (config.positions, config.first_position) != ("sinusoidal_halves", 0):
        rows = np.arange(config.max_positions)[None]
        for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
            table = ops.convert_to_numpy(
                stack.embedding.encode(rows, second=stack.is_second)
            )[0]
            found[f"model.{name}.embed_positions.weight"] = np.array(table, "float32")
    return found


def write_tokenizers(out, tokenizers):
    """The files of transformers' `MarianTokenizer`: what cuts each side's text, and the ids of the pieces."""
    models = [sentencepiece_model(tokenizer) for tokenizer in tokenizers]
    separate = tokenizers[0].pieces != tokenizers[1].pieces
    for side, model in zip(("source", "target"), models):
        (out / f"{side}.spm").write_bytes(model)
    for name, tokenizer in zip(
        ("vocab.json", "target_vocab.json") if separate else ("vocab.json",), tokenizers
    ):
        ids = {piece: number for number, piece in enumerate(tokenizer.pieces)}
        (out / name).write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    special = tokenizers[1].special
    tokens = {
        "eos_token": special.end,
        "unk_token": special.unknown,
        "pad_token": special.pad,
    }
    settings = {name: tokenizers[1].pieces[number] for name, number in tokens.items()}
    marks = (
        tokenizers[0].vocabulary.marks
        if isinstance(tokenizers[0], MarianTokenizer)
        else ()
    )
    settings["additional_special_tokens"] = [
        mark for mark in marks if mark not in settings.values()
    ]
    settings |= {"tokenizer_class": "MarianTokenizer", "separate_vocabs": separate}
    settings |= {"source_lang": "source", "target_lang": "target"}
    (out / "tokenizer_config.json").write_text(
        json.dumps(settings, indent=2) + "\n", encoding="utf-8"
    )


def sentencepiece_model(tokenizer):
    """The content of the SentencePiece model that cuts a side's text."""
    if isinstance(tokenizer, Tokenizer):
        return tokenizer.serialized
    if not isinstance(tokenizer, MarianTokenizer):
        raise ValueError(
            f"Marian needs a tokenizer of SentencePiece alone; received a {type(tokenizer).__name__}"
        )
    return tokenizer.models["encoder.spm"]


def compare(run, model, tokenizers, out):
    import torch
    import transformers
    from keras import ops

    from keras_transformer.decoding.translator import pad

    theirs = transformers.MarianMTModel.from_pretrained(out)  # not for training
    sentence_format, differences, shapes = SentenceFormat.of(*tokenizers), [], []
    for pair in check_sentences(run):
        encoded = [
            tokenizer.encode(texts) for tokenizer, texts in zip(tokenizers, pair)
        ]
        rows = (
            [sentence_format.source(ids) for ids in encoded[0]],
            [sentence_format.target(sentence_format.labels(ids)) for ids in encoded[1]],
        )
        source, target = (
            pad(ids, len(ids), max(map(len, ids)), value=sentence_format.pad)
            for ids in rows
        )
        expected = ops.convert_to_numpy(
            model({"source_ids": source, "target_ids": target}, training=False)
        )
        with torch.no_grad():
            ids = [torch.from_numpy(array).long() for array in (source, target)]
            found = theirs(
                ids[0],
                attention_mask=ids[0] != sentence_format.pad,
                decoder_input_ids=ids[1],
            ).logits.numpy()
        real = np.arange(target.shape[1]) < np.array([[len(ids)] for ids in rows[1]])
        differences.append(
            np.abs(found - expected)[real].max() / max(1.0, np.abs(expected).max())
        )
        shapes.append(source.shape)
    return Check(
        "logits, relative to the largest",
        tuple(shapes),
        float(np.max(differences)),
        TOLERANCE,
    )
