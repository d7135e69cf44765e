"""Language models with random weights, as `transformers` writes them."""

import json

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from keras_transformer.pretrained.causal_lm import FAMILIES

transformers.utils.logging.disable_progress_bar()
TEXT = [
    "a man rides a bike",
    "two girls sit on a bench in the park",
    "the horse runs over the field and the man falls",
]
SIZE = 300  # tokens: bytes, and a few merges
GPT2 = dict(n_positions=48, n_embd=32, n_layer=2, n_head=4)
LLAMA = dict(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
)
LLAMA3 = dict(
    rope_type="llama3",
    rope_theta=500.0,
    factor=4.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)
# Name -> (model class, config class, settings).
MODELS = {
    "gpt2": (transformers.GPT2LMHeadModel, transformers.GPT2Config, GPT2),
    "llama": (transformers.LlamaForCausalLM, transformers.LlamaConfig, LLAMA),
    "llama3": (
        transformers.LlamaForCausalLM,
        transformers.LlamaConfig,
        dict(
            **LLAMA,
            rope_parameters=LLAMA3,
            head_dim=12,
            attention_bias=True,
            mlp_bias=True,
            tie_word_embeddings=True,
        ),
    ),
    "qwen2": (transformers.Qwen2ForCausalLM, transformers.Qwen2Config, LLAMA),
    "qwen2_window": (
        transformers.Qwen2ForCausalLM,
        transformers.Qwen2Config,
        dict(**LLAMA, use_sliding_window=True, sliding_window=5, max_window_layers=0),
    ),
}
assert {name.partition("_")[0].rstrip("3") for name in MODELS} == {*FAMILIES}


def tokenizer_of(name):
    """A byte-level tokenizer, of Llama with a begin token before each text."""
    marks = ["<|begin|>", "<|end|>", "<|stop|>"]
    if name == "gpt2":
        marks = ["<|endoftext|>"]
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - 5,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    if name.startswith("llama"):
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", 0)]
        )
    return tokenizer


def make_model(name, **changes):
    """A model of `transformers` whose tensors are all random, norms and biases too."""
    model_class, config_class, settings = MODELS[name]
    ids = dict(bos_token_id=0, eos_token_id=1)
    if name == "gpt2":
        ids = dict(bos_token_id=0, eos_token_id=0)
    torch.manual_seed(0)
    config = config_class(vocab_size=SIZE, **{**ids, **settings, **changes})
    model = model_class(config).eval()
    with torch.no_grad():
        for key, tensor in model.named_parameters():
            scale = 0.3 if tensor.ndim == 1 else 0.7 * tensor.shape[-1] ** -0.5
            is_norm = tensor.ndim == 1 and key.endswith("weight")
            tensor.copy_(scale * torch.randn(tensor.shape) + is_norm)
    return model


def write(folder, name, **changes):
    """Write a checkpoint with its tokenizer; the model."""
    model = make_model(name, **changes)
    model.save_pretrained(folder)
    tokenizer_of(name).save(str(folder / "tokenizer.json"))
    mark = "<|endoftext|>" if name == "gpt2" else "<|end|>"
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": mark}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return model
