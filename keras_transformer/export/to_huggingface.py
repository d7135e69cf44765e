"""A run as a folder that `transformers` reads, of Marian or of what it came from."""

import dataclasses

import numpy as np
from keras import ops
from safetensors.numpy import save_file

from ..config import refused
from ..pretrained import causal_lm, names, t5
from ..pretrained.families import TENSORS, fairseq_settings, written_as
from ..pretrained.tokenizers.marian import MarianTokenizer
from ..runs.run import Run
from ..runs.sealed_files import write_json
from ..text.tokenizer import Tokenizer
from .comparison import compare_logits, compare_rows
from .export_directory import check_format, new_export

THEIR_NAMES = {"text.spm": "spiece.model"}
# Marian computes them; a table of others is written into the file.
MARIAN_POSITIONS = {"positions": "sinusoidal_halves", "first_position": 0}


def huggingface(run, out, overwrite=False):
    """Write a checkpoint, which `transformers.AutoModelForSeq2SeqLM` loads.

    It is Marian's, but what was imported from BART or T5 is written as that again.

    `model.safetensors`, `config.json`, `generation_config.json`, the SentencePiece
    models and their vocabularies, which `transformers.AutoTokenizer` loads. As here,
    padding and the begin token are never generated. Positions end at `max_positions`;
    others than Marian's are written as tensors, which `transformers` reads and does not
    write again. A target language that was chosen at the import is not in the folder:
    there texts begin with their `>>xx<<`. Text is cut as here, but that transformers
    takes any `>>xx<<` at the beginning for a language and a special piece for itself,
    keeps NUL, decodes "▁" to a space and an unknown token to nothing.

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
    check_format(run, "huggingface")
    write = write_causal_lm if run.config.is_language_model else write_seq_2_seq
    export = new_export(run, out, overwrite, "huggingface", "torch", "transformers")
    with export as (aside, about):
        check = write(aside, run, run.model("float32"))
        about["check"] = check
    return check


def write_seq_2_seq(out, run, model):
    """Write a translation model, and give the `Check`."""
    config = model.config
    family = written_as(config)
    write_tokenizers = TOKENIZER_WRITERS.get(family, write_again)
    # Marian's table ends, whatever ours does.
    longest = config.max_positions if family == "marian" else config.longest
    write_tokenizers(out, *run.tokenizers, longest)
    # What a decoder such as BART's is given, after its begin token.
    prefix = run.tokenizers[1].target_prefix
    first = prefix[0] if prefix else None
    search = generation_config(config) | {"forced_bos_token_id": first}
    write_model(out, tensors(model), settings_of(config), search)
    return compare_logits(run, model, logits_of(out, config.pad_id), longest)


def write_causal_lm(out, run, model):
    """Write a language model as the family that has its switches; give the `Check`."""
    config = model.config
    family, arrays = family_and_arrays(model)
    tokenizer = run.tokenizers[0]
    for name, content in tokenizer.models.items():
        (out / name).write_bytes(content)
    ends = [config.end_id, *tokenizer.stops]
    search = {"bos_token_id": config.begin_id, "eos_token_id": ends}
    write_model(out, arrays, causal_lm.settings_of(config, family), search)
    return compare_rows(model, causal_logits_of(out))


def write_model(out, arrays, settings, search):
    """Write the files of a checkpoint that are no tokenizer's."""
    save_file(arrays, out / "model.safetensors", {"format": "pt"})
    write_json(out / "config.json", settings)
    write_json(out / "generation_config.json", search)


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
    written = config
    if family == "marian":
        written = dataclasses.replace(
            config, **MARIAN_POSITIONS, output_bias=True, attention_bias=True
        )
    arrays = {}
    for tensor in TENSORS[family](written):
        variable = tensor.variable(model)
        array = np.zeros(tensor.shape) if variable is None else variable
        arrays[tensor.names[0]] = tensor.theirs(ops.convert_to_numpy(array))
    has_other_positions = not MARIAN_POSITIONS.items() <= vars(config).items()
    if family == "marian" and has_other_positions:
        rows = np.arange(config.max_positions)[None]
        for name, stack in zip(names.POSITIONS, (model.encoder, model.decoder)):
            (table,) = ops.convert_to_numpy(stack.embedding.encode(rows))
            arrays[name] = np.array(table, "float32")
    return arrays


def write_again(out, source, target, longest):
    """The files that an imported tokenizer was made of."""
    for name, content in target.models.items():
        (out / THEIR_NAMES.get(name, name)).write_bytes(content)
    marks = target.vocabulary.marks
    extra = sum(mark.startswith("<extra_id_") for mark in marks)
    settings = special_pieces(target) | lengths(longest) | {"extra_ids": extra}
    if target.kind == "tokenizers":  # T5's own class takes SentencePiece alone
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    write_json(out / "tokenizer_config.json", settings)


def special_pieces(tokenizer):
    """What `tokenizer_config.json` says of a tokenizer's special tokens."""
    special = tokenizer.special
    ids = dict(eos_token=special.end, unk_token=special.unknown, pad_token=special.pad)
    return {name: tokenizer.pieces[number] for name, number in ids.items()}


def lengths(longest):
    """What `tokenizer_config.json` says of the most tokens of a text, if it ends."""
    return {} if longest is None else {"model_max_length": longest}


def write_marian(out, source, target, longest):
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
        **lengths(longest),
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
        outputs = model(source, attention_mask=source != pad, decoder_input_ids=target)
        return outputs.logits.numpy()

    return logits


def family_and_arrays(model):
    """The name of a model's family, and the arrays of a checkpoint by name."""
    for family in causal_lm.families_of(model.config):
        arrays, lost = arrays_of(model, causal_lm.FAMILIES[family])
        if not lost:
            return family, arrays
    raise refused(lost[0], f"be zero for {family}", "other numbers")


def arrays_of(model, family):
    """The tensors by name, and what a checkpoint has no room for."""
    parts = {}
    lost = []
    for tensor in causal_lm.tensors(model.config, family):
        array = ops.convert_to_numpy(tensor.variable(model))
        if not tensor.optional:
            parts.setdefault(tensor.names[0], []).append(tensor.theirs(array))
        elif np.any(array):
            lost.append(tensor.path)
    whole = {name: np.concatenate(own, axis=-1) for name, own in parts.items()}
    return whole, lost


def causal_logits_of(folder):
    """The same of a language model, as a function of ids."""
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder)

    @torch.no_grad()
    def logits(token_ids):
        return model(torch.from_numpy(token_ids).long()).logits.float().numpy()

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
