"""Our models as Hugging Face's `MarianMTModel`, the rival of the benchmarks."""

import torch
from transformers import MarianConfig, MarianMTModel

from keras_transformer.export.to_huggingface import settings_of, tensors


def new_marian(config):
    """A `MarianMTModel` of a `TransformerConfig`'s sizes; it is post-norm."""
    marian = MarianMTModel(MarianConfig.from_dict(settings_of(config)))
    for module in marian.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = config.layer_norm_epsilon
    return marian


def marian_of(model):
    """The `MarianMTModel`, ready to translate, with the weights of a `Transformer`.

    For a pre-norm model, each norm is moved before its sub-layer.
    """
    config = model.config
    marian = new_marian(config).eval()
    weights = {name: torch.tensor(array) for name, array in tensors(model).items()}
    missing, _ = marian.load_state_dict(weights, strict=False)
    marian.tie_weights()
    tied = {"lm_head.weight", "model.encoder.embed_tokens.weight"}
    tied |= {"model.decoder.embed_tokens.weight"}
    tables = {f"model.{side}.embed_positions.weight" for side in ("encoder", "decoder")}
    if not set(missing) <= tied | tables:
        raise ValueError(f"Marian must find all its weights; {missing} are missing")
    if config.norm_first:
        for stack in ("encoder", "decoder"):
            put_norms_first(getattr(marian.model, stack), config.layer_norm_epsilon)
            norm = getattr(marian.model, stack).layers[-1].final_layer_norm
            with torch.no_grad():
                norm.weight.copy_(weights[f"model.{stack}.layer_norm.weight"])
                norm.bias.copy_(weights[f"model.{stack}.layer_norm.bias"])
    # As our search: padding and the begin token are never generated.
    never = [[token] for token in config.special.never_generated]
    marian.generation_config.bad_words_ids = never
    return marian


def put_norms_first(stack, epsilon):
    for layer in stack.layers:
        move_norm(layer, "self_attn_layer_norm", "self_attn")
        move_norm(layer, "final_layer_norm", "fc1")
        if hasattr(layer, "encoder_attn"):
            move_norm(layer, "encoder_attn_layer_norm", "encoder_attn")
    # After the last layer: the stack's own.
    width = stack.config.d_model
    stack.layers[-1].final_layer_norm = torch.nn.LayerNorm(width, epsilon)


def move_norm(layer, norm_name, sublayer_name):
    norm = getattr(layer, norm_name)

    def before(_, inputs, named):
        named = dict(named)
        if "hidden_states" in named:
            named["hidden_states"] = norm(named["hidden_states"])
        return tuple(map(norm, inputs)), named

    sublayer = getattr(layer, sublayer_name)
    sublayer.register_forward_pre_hook(before, with_kwargs=True)
    setattr(layer, norm_name, torch.nn.Identity())
