"""A run as a folder that `transformers` reads: a Marian model, or BART or T5 again."""

import dataclasses

import numpy as np
from keras import ops
from safetensors.numpy import save_file

from ..pretrained import names, t5
from ..pretrained.families import SAME_NAME, TENSORS, written_as
from ..pretrained.tokenizers.marian import MarianTokenizer
from ..runs.run import Run
from ..text.tokenizer import Tokenizer
from .causal_lm_to_huggingface import causal_lm
from .comparison import compare_logits
from .export_directory import check_format, new_export, write_json

THEIR_NAMES = {"text.spm": "spiece.model"}
# Others have the same name.
ACTIVATIONS = {"silu": "swish", "gelu_tanh": "gelu_pytorch_tanh"}


def huggingface(run, out, overwrite=False):
    """Write a checkpoint, which `transformers.AutoModelForSeq2SeqLM` loads.

    It is Marian's, but what was imported from BART or T5 is written as that again.

    `model.safetensors`, `config.json`, `generation_config.json`, the SentencePiece
    models and their vocabularies, which `transformers.AutoTokenizer` loads. As here,
    padding and the begin token are never generated. Positions end at `max_positions`;
    others than Marian's are written as tensors, which `transformers` reads and does not
    write again. A target language that was chosen at the import is not in the folder:
    there texts begin with their `>>xx<<`. Text is cut as here, but that transformers
    takes any `>>xx<<` at the beginning for a language, and decodes "▁" to a space.

    A language model becomes a checkpoint of GPT-2, Llama or Qwen2, which
    `transformers.AutoModelForCausalLM` loads, with the files of its own tokenizer.

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
    check_format(run, "huggingface")
    if run.config.is_language_model:
        return causal_lm(run, out, overwrite)
    export = new_export(run, out, overwrite, "huggingface", "torch", "transformers")
    with export as (aside, about):
        family = written_as(config)
        write_tokenizers = TOKENIZER_WRITERS.get(family, write_again)
        write_tokenizers(aside, *run.tokenizers)
        model = run.model("float32")
        save_file(tensors(model), aside / "model.safetensors", {"format": "pt"})
        write_json(aside / "config.json", settings_of(config))
        # What BART's decoder is given, after its begin token.
        first = None
        if family == "bart":
            (first,) = run.tokenizers[1].target_prefix
        search = generation_config(config) | {"forced_bos_token_id": first}
        write_json(aside / "generation_config.json", search)
        check = compare_logits(run, model, logits_of(aside, config.pad_id))
        about["check"] = check
    return check


def settings_of(config):
    """What `config.json` of a checkpoint has for a `TransformerConfig`."""
    family = written_as(config)
    return {
        **SETTINGS[family](config),
        "model_type": family,
        "architectures": [ARCHITECTURES[family]],
        "pad_token_id": config.pad_id,
        "eos_token_id": config.end_id,
        "bos_token_id": config.end_id,
        "decoder_start_token_id": config.begin_id,
        "forced_eos_token_id": None,
    }


def fairseq_settings(config):
    """What Marian's `config.json` and BART's say of sizes and switches."""
    _, _, encoder_d_ff = config.side("source")
    _, _, decoder_d_ff = config.side("target")
    activation = config.activation
    return {
        **{name: getattr(config, name) for name in SAME_NAME},
        "vocab_size": config.source_vocab_size,
        "decoder_vocab_size": config.target_vocab_size,
        "share_encoder_decoder_embeddings": config.share_embeddings,
        "tie_word_embeddings": config.tie_output,
        "encoder_ffn_dim": encoder_d_ff,
        "decoder_ffn_dim": decoder_d_ff,
        "encoder_attention_heads": config.num_heads,
        "decoder_attention_heads": config.num_heads,
        "activation_function": ACTIVATIONS.get(activation, activation),
        "max_position_embeddings": config.max_positions,
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
    """The tensors of a checkpoint by name; biases that we lack are zeros."""
    config = model.config
    family = written_as(config)
    positions = dict(positions="sinusoidal_halves", first_position=0)
    biases = dict(output_bias=True, attention_bias=True)
    written = config
    if family == "marian":
        written = dataclasses.replace(config, **positions, **biases)
    found = {}
    for tensor in TENSORS[family](written):
        variable = tensor.variable(model)
        array = np.zeros(tensor.shape) if variable is None else variable
        found[tensor.names[0]] = tensor.theirs(ops.convert_to_numpy(array))
    # Marian's own positions are not in a file, others are read from it.
    if family == "marian" and not positions.items() <= vars(config).items():
        rows = np.arange(config.max_positions)[None]
        for name, stack in zip(names.POSITIONS, (model.encoder, model.decoder)):
            (table,) = ops.convert_to_numpy(stack.embedding.encode(rows))
            found[name] = np.array(table, "float32")
    return found


def write_again(out, source, target):
    """The files that an imported tokenizer was made of."""
    for name, content in target.models.items():
        (out / THEIR_NAMES.get(name, name)).write_bytes(content)
    marks = target.vocabulary.marks
    extra = sum(mark.startswith("<extra_id_") for mark in marks)
    settings = special_pieces(target) | {"extra_ids": extra}
    write_json(out / "tokenizer_config.json", settings)


def special_pieces(tokenizer):
    """What `tokenizer_config.json` says of a tokenizer's special tokens."""
    special = tokenizer.special
    ids = dict(eos_token=special.end, unk_token=special.unknown, pad_token=special.pad)
    return {name: tokenizer.pieces[number] for name, number in ids.items()}


def write_marian(out, source, target):
    """The files of transformers' `MarianTokenizer`: what cuts text, pieces' ids."""
    sides = (("source", "", source), ("target", "target_", target))
    for side, prefix, tokenizer in sides:
        if isinstance(tokenizer, Tokenizer):
            model = tokenizer.serialized
        else:
            model = tokenizer.models["encoder.spm"]
        (out / f"{side}.spm").write_bytes(model)
        ids = {piece: number for number, piece in enumerate(tokenizer.pieces)}
        write_json(out / f"{prefix}vocab.json", ids)
    special = special_pieces(target)
    marks = set()
    if isinstance(source, MarianTokenizer):
        marks = {*source.vocabulary.marks} - {*special.values()}
    settings = {
        **special,
        "additional_special_tokens": sorted(marks),
        "tokenizer_class": "MarianTokenizer",
        "separate_vocabs": source.pieces != target.pieces,
        "source_lang": "source",
        "target_lang": "target",
    }
    write_json(out / "tokenizer_config.json", settings)


def logits_of(folder, pad):
    """The logits of `transformers`, as a function of source ids and target ids."""
    import torch
    import transformers

    # `from_pretrained` gives it as for inference.
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)

    @torch.no_grad()
    def logits(source_ids, target_ids):
        source = torch.from_numpy(source_ids).long()
        target = torch.from_numpy(target_ids).long()
        given = dict(attention_mask=source != pad, decoder_input_ids=target)
        return model(source, **given).logits.numpy()

    return logits


# By model type.
ARCHITECTURES = {
    "marian": "MarianMTModel",
    "bart": "BartForConditionalGeneration",
    "t5": "T5ForConditionalGeneration",
}
SETTINGS = {
    "marian": fairseq_settings,
    "bart": fairseq_settings,
    "t5": t5.settings_of,
}
TOKENIZER_WRITERS = {"marian": write_marian}
