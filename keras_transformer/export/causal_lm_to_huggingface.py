"""A language model's run as a folder that `transformers` reads."""

import numpy as np
from keras import ops
from safetensors.numpy import save_file

from ..config import expect
from ..pretrained.causal_lm import FAMILIES, families_of, settings_of, tensors
from .comparison import compare_rows
from .export_directory import new_export, write_json


def causal_lm(run, out, overwrite=False):
    """Write a checkpoint of GPT-2, Llama or Qwen2, whichever has the `Run`'s switches.

    Arguments, result and errors are those of `huggingface`.
    """
    config = run.config.model
    export = new_export(run, out, overwrite, "huggingface", "torch", "transformers")
    with export as (aside, about):
        model = run.model("float32")
        family, arrays = chosen(model)
        save_file(arrays, aside / "model.safetensors", {"format": "pt"})
        write_json(aside / "config.json", settings_of(config, family))
        tokenizer = run.tokenizers[0]
        for name, content in tokenizer.models.items():
            (aside / name).write_bytes(content)
        ends = [config.end_id, *tokenizer.stops]
        ids = {"bos_token_id": config.begin_id, "eos_token_id": ends}
        write_json(aside / "generation_config.json", ids)
        check = compare_rows(model, transformers_logits(aside))
        about["check"] = check
    return check


def chosen(model):
    """The name of a family that a model belongs to, and the tensors of a checkpoint."""
    for family in families_of(model.config):
        arrays, lost = arrays_of(model, FAMILIES[family])
        if not lost:
            return family, arrays
    expect(False, lost[0], f"be zero for {family}", "other numbers")


def arrays_of(model, family):
    """The tensors by name, and what a checkpoint has no room for."""
    parts = {}
    lost = []
    for tensor in tensors(model.config, family):
        array = ops.convert_to_numpy(tensor.variable(model))
        if not tensor.optional:
            parts.setdefault(tensor.names[0], []).append(tensor.theirs(array))
        elif np.any(array):
            lost.append(tensor.path)
    whole = {name: np.concatenate(own, axis=-1) for name, own in parts.items()}
    return whole, lost


def transformers_logits(folder):
    """The logits of `transformers`, as a function of ids."""
    import torch
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder)

    @torch.no_grad()
    def logits(token_ids):
        return model(torch.from_numpy(token_ids).long()).logits.float().numpy()

    return logits
