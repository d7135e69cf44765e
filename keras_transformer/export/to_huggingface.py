"""A run as a folder that `transformers` reads as a Marian model."""

import dataclasses
import json

import numpy as np
from keras import ops
from safetensors.numpy import save_file

from keras_transformer.config import expect
from keras_transformer.export.comparison import compare_logits
from keras_transformer.export.export_directory import (
    check_model,
    new_export,
    write_config,
)
from keras_transformer.pretrained import names
from keras_transformer.pretrained.tokenizers.marian import MarianTokenizer
from keras_transformer.runs.extras import needed
from keras_transformer.runs.run import Run
from keras_transformer.text.tokenizer import Tokenizer

ACTIVATIONS = {"silu": "swish"}  # others have the same name


def huggingface(run, out, overwrite=False):
    """Write a Marian checkpoint, which `transformers.AutoModelForSeq2SeqLM` loads.

    `model.safetensors`, `config.json`, `generation_config.json`, the SentencePiece
    models and their vocabularies, which `transformers.AutoTokenizer` loads. As here,
    padding and the begin token are never generated. Positions end at `max_positions`;
    others than Marian's are written as tensors, which `transformers` reads and does not
    write again. A target language that was chosen at the import is not in the folder:
    there texts begin with their `>>xx<<`.

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
    check_model(config, "Marian")
    needed("torch", "transformers", extra="huggingface")
    with new_export(run, out, overwrite) as aside:
        write_tokenizers(aside, *run.tokenizers)
        model = run.model("float32")
        save_file(tensors(model), aside / "model.safetensors", {"format": "pt"})
        write_json(aside / "config.json", marian_config(config))
        write_json(aside / "generation_config.json", generation_config(config))
        check = compare_logits(run, model, marian_logits(aside, config.pad_id))
        packages = ["torch", "transformers"]
        write_config(aside, packages, format="huggingface", model=config, check=check)
    return check


def marian_config(config):
    """What transformers' `MarianConfig` has for a `TransformerConfig`."""
    return {
        "model_type": "marian",
        "architectures": ["MarianMTModel"],
        "vocab_size": config.source_vocab_size,
        "decoder_vocab_size": config.target_vocab_size,
        "share_encoder_decoder_embeddings": config.share_embeddings,
        "tie_word_embeddings": config.tie_output,
        "encoder_layers": config.encoder_layers,
        "decoder_layers": config.decoder_layers,
        "encoder_ffn_dim": config.d_ffs[0],
        "decoder_ffn_dim": config.d_ffs[1],
        "encoder_attention_heads": config.num_heads,
        "decoder_attention_heads": config.num_heads,
        "d_model": config.d_model,
        "dropout": config.dropout,
        "attention_dropout": config.attention_dropout,
        "activation_function": ACTIVATIONS.get(config.activation, config.activation),
        "scale_embedding": config.scale_embedding,
        "max_position_embeddings": config.max_positions,
        "pad_token_id": config.pad_id,
        "eos_token_id": config.end_id,
        "bos_token_id": config.end_id,
        "decoder_start_token_id": config.begin_id,
        "forced_eos_token_id": None,
    }


def generation_config(config):
    return {
        "bad_words_ids": [[token] for token in config.special.never_generated],
        "decoder_start_token_id": config.begin_id,
        "eos_token_id": config.end_id,
        "pad_token_id": config.pad_id,
        "max_length": config.max_positions,
        "num_beams": 4,
    }


def tensors(model):
    """The tensors of a Marian checkpoint by name; biases that we lack are zeros."""
    config = model.config
    marian = dataclasses.replace(
        config,
        output_bias=True,
        attention_bias=True,
        positions="sinusoidal_halves",
        first_position=0,
    )
    found = {}
    for tensor in names.tensors(marian):
        variable = tensor.variable(model)
        array = np.zeros(tensor.shape) if variable is None else variable
        found[tensor.names[0]] = tensor.theirs(ops.convert_to_numpy(array))
    # Marian's own positions are not in a file, others are read from it.
    if (config.positions, config.first_position) != ("sinusoidal_halves", 0):
        rows = np.arange(config.max_positions)[None]
        for name, stack in (("encoder", model.encoder), ("decoder", model.decoder)):
            (table,) = ops.convert_to_numpy(stack.embedding.encode(rows))
            found[f"model.{name}.embed_positions.weight"] = np.array(table, "float32")
    return found


def write_tokenizers(out, source, target):
    """The files of transformers' `MarianTokenizer`: what cuts text, pieces' ids."""
    (out / "source.spm").write_bytes(sentencepiece_model(source))
    (out / "target.spm").write_bytes(sentencepiece_model(target))
    for name, pieces in (("", source.pieces), ("target_", target.pieces)):
        ids = {piece: number for number, piece in enumerate(pieces)}
        write_json(out / f"{name}vocab.json", ids)
    special = {
        "eos_token": target.pieces[target.special.end],
        "unk_token": target.pieces[target.special.unknown],
        "pad_token": target.pieces[target.special.pad],
    }
    marks = source.vocabulary.marks if isinstance(source, MarianTokenizer) else ()
    settings = {
        **special,
        "additional_special_tokens": sorted(set(marks) - set(special.values())),
        "tokenizer_class": "MarianTokenizer",
        "separate_vocabs": source.pieces != target.pieces,
        "source_lang": "source",
        "target_lang": "target",
    }
    write_json(out / "tokenizer_config.json", settings)


def write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def sentencepiece_model(tokenizer):
    """The content of the SentencePiece model that cuts a side's text."""
    if isinstance(tokenizer, Tokenizer):
        return tokenizer.serialized
    kind = type(tokenizer)
    expectation = "be one of SentencePiece alone for Marian"
    expect(kind is MarianTokenizer, "the tokenizer", expectation, kind.__name__)
    return tokenizer.models["encoder.spm"]


def marian_logits(folder, pad):
    """The logits of `transformers`, as a function of source ids and target ids."""
    import torch
    import transformers

    model = transformers.MarianMTModel.from_pretrained(folder)  # not for training

    @torch.no_grad()
    def logits(source_ids, target_ids):
        source = torch.from_numpy(source_ids).long()
        target = torch.from_numpy(target_ids).long()
        mask = source != pad
        return model(source, mask, target).logits.numpy()

    return logits
