"""GPT-2, Llama and Qwen2: settings and names, a row of a table for each."""

import dataclasses
import functools

from ..config import CausalLMConfig, expect
from .rotary_settings import rotary_fields, rotary_settings
from .settings import Settings, written
from .tensors import ATTENTION, FEED_FORWARD, Tensor, named, stack_weights

OUTPUT = "lm_head.weight"


@dataclasses.dataclass(frozen=True)
class Family:
    """How the checkpoints of a model type are made.

    Attributes:
        architecture: the class of `transformers`.
        switches: fields of our configuration, the same for all of them.
        fields: our fields, and what config.json calls them.
        absent: what a setting is where config.json has none.
        only: settings of which our model has this one alone.
        prefixes: what stands before the names of tensors, one of them.
        embeddings: the tensors of the token and of the position table.
        table: the name of each layer, as `tensors.named` takes it.
        optional: weights that may be missing, by the end of our path.
        fused: layers that lie side by side in one tensor, inputs before outputs.
        has_window: whether attention may see a part of the text only.
    """

    architecture: str
    switches: dict
    fields: dict
    absent: dict
    only: dict
    prefixes: tuple
    embeddings: tuple
    table: dict
    optional: tuple = ()
    fused: tuple = ()
    has_window: bool = False


GPT2 = Family(
    "GPT2LMHeadModel",
    switches=dict(
        norm_first=True,
        positions="learned",
        attention_bias=True,
        scale_embedding=False,
    ),
    fields={
        "vocab_size": "vocab_size",
        "d_model": "n_embd",
        "d_ff": "n_inner",
        "num_layers": "n_layer",
        "num_heads": "n_head",
        "max_positions": "n_positions",
        "dropout": "resid_pdrop",
        "attention_dropout": "attn_pdrop",
        "activation": "activation_function",
        "layer_norm_epsilon": "layer_norm_epsilon",
        "tie_output": "tie_word_embeddings",
    },
    absent={
        "n_inner": None,
        "resid_pdrop": 0.1,
        "attn_pdrop": 0.1,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
    },
    only={
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
    },
    prefixes=("transformer.", ""),
    embeddings=("wte.weight", "wpe.weight"),
    table={
        f"{ATTENTION}.query": "h.#.attn.c_attn",
        f"{ATTENTION}.key": "h.#.attn.c_attn",
        f"{ATTENTION}.value": "h.#.attn.c_attn",
        f"{ATTENTION}.output_projection": "h.#.attn.c_proj",
        f"{ATTENTION}_residual.norm": "h.#.ln_1",
        f"{FEED_FORWARD}.expand": "h.#.mlp.c_fc",
        f"{FEED_FORWARD}.contract": "h.#.mlp.c_proj",
        f"{FEED_FORWARD}_residual.norm": "h.#.ln_2",
        "final_norm": "ln_f",
    },
    fused=("query", "key", "value"),
)
LLAMA = Family(
    "LlamaForCausalLM",
    switches=dict(
        norm="rms",
        norm_first=True,
        gated=True,
        positions="rotary",
        scale_embedding=False,
        dropout=0.0,
    ),
    fields={
        "vocab_size": "vocab_size",
        "d_model": "hidden_size",
        "d_ff": "intermediate_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "num_key_value_heads": "num_key_value_heads",
        "key_dim": "head_dim",
        "value_dim": "head_dim",
        "max_positions": "max_position_embeddings",
        "attention_dropout": "attention_dropout",
        "activation": "hidden_act",
        "layer_norm_epsilon": "rms_norm_eps",
        "attention_bias": "attention_bias",
        "feed_forward_bias": "mlp_bias",
        "tie_output": "tie_word_embeddings",
    },
    absent={
        "num_key_value_heads": None,
        "head_dim": None,
        "attention_dropout": 0.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
    },
    only={"partial_rotary_factor": 1.0},
    prefixes=("model.", ""),
    embeddings=("embed_tokens.weight",),
    table={
        f"{ATTENTION}.query": "layers.#.self_attn.q_proj",
        f"{ATTENTION}.key": "layers.#.self_attn.k_proj",
        f"{ATTENTION}.value": "layers.#.self_attn.v_proj",
        f"{ATTENTION}.output_projection": "layers.#.self_attn.o_proj",
        f"{ATTENTION}_residual.norm": "layers.#.input_layernorm",
        f"{FEED_FORWARD}.gate": "layers.#.mlp.gate_proj",
        f"{FEED_FORWARD}.expand": "layers.#.mlp.up_proj",
        f"{FEED_FORWARD}.contract": "layers.#.mlp.down_proj",
        f"{FEED_FORWARD}_residual.norm": "layers.#.post_attention_layernorm",
        "final_norm": "norm",
    },
)
QWEN2 = dataclasses.replace(
    LLAMA,
    architecture="Qwen2ForCausalLM",
    # The output projection has no bias: ours is zero.
    absent={
        **LLAMA.absent,
        "attention_bias": True,
        "use_sliding_window": False,
        "sliding_window": 4096,
        "max_window_layers": 28,
    },
    only={**LLAMA.only, "attention_bias": True, "mlp_bias": False},
    optional=("output_projection.bias",),
    has_window=True,
)
FAMILIES = {"gpt2": GPT2, "qwen2": QWEN2, "llama": LLAMA}


def config_of(settings, special, names=()):
    """The `CausalLMConfig` of a `config.json` of one of `FAMILIES`."""
    family = FAMILIES[settings["model_type"]]
    settings.check_only(family.only)
    settings = settings.with_defaults(family.absent)
    fields = settings.fields(family.fields)
    if fields["d_ff"] is None:
        fields["d_ff"] = 4 * fields["d_model"]
    if family.switches["positions"] == "rotary":
        fields |= rotary_fields(settings)
    return CausalLMConfig(
        **family.switches,
        **fields,
        window=window_of(settings) if family.has_window else None,
        **special.fields,
        # As transformers: any token may follow any other.
        separate_documents=False,
    )


def window_of(settings):
    """How many positions attention sees; None for all of them."""
    window = settings["sliding_window"]
    if not settings["use_sliding_window"] or window is None:
        return None
    layers = settings["num_hidden_layers"]
    first = settings["max_window_layers"]
    kinds = ["full_attention"] * first + ["sliding_attention"] * layers
    kinds = set(settings.get("layer_types") or kinds[:layers])
    expect(len(kinds) < 2, "layer_types", "be all the same", sorted(kinds))
    return window if kinds == {"sliding_attention"} else None


def tensors(config, family):
    """The `Tensor`s of a `CausalLMConfig` of a `Family`."""
    names = [
        tuple(prefix + name for prefix in family.prefixes) for name in family.embeddings
    ]
    shape = (config.vocab_size, config.d_model)
    if config.tie_output:
        names[0] += (OUTPUT,)
    else:
        path = "decoder.output_projection.kernel"
        yield Tensor(path, (OUTPUT,), shape, transposed=True)
    embedding = "decoder.embedding"
    yield Tensor(f"{embedding}.token_embedding.embeddings", names[0], shape)
    if config.positions == "learned":
        shape = (config.max_positions, config.d_model)
        yield Tensor(f"{embedding}.position_table", names[1], shape)
    weights = stack_weights(config, "target", ["self_attention"])
    for tensor in named(weights, family.table, "decoder.", family.prefixes):
        if tensor.path.endswith(family.optional or ("nowhere",)):
            tensor = dataclasses.replace(tensor, optional=True)
        yield fused(tensor, family) if family.fused else tensor


TENSORS = {
    name: functools.partial(tensors, family=family) for name, family in FAMILIES.items()
}


def fused(tensor, family):
    """A `Tensor` of a family whose kernels are inputs before outputs, some fused."""
    *_, layer, _ = tensor.path.split(".")
    shape = tensor.shape
    columns = None
    if layer in family.fused:
        width = shape[0]
        start = width * family.fused.index(layer)
        columns = (start, start + width)
        shape = (len(family.fused) * width, *shape[1:])
    shape = shape[::-1]
    return dataclasses.replace(tensor, shape=shape, columns=columns, transposed=False)


def settings_of(config, name):
    """What `config.json` has for a `CausalLMConfig` of a family."""
    family = FAMILIES[name]
    found = written(with_all_sizes(config), family.fields)
    found |= {
        "model_type": name,
        "architectures": [family.architecture],
        "bos_token_id": config.begin_id,
        "eos_token_id": config.end_id,
    }
    if family.has_window:
        window = config.window
        found |= dict(use_sliding_window=window is not None, sliding_window=window)
        found["max_window_layers"] = 0
    if config.positions == "rotary":
        found["rope_parameters"] = rotary_settings(config)
    return found


def families_of(config):
    """The names of the families that a `CausalLMConfig` may belong to.

    Raises:
        ValueError: that names what the family which is the nearest has not.
    """
    found = []
    others = {}
    own = vars(with_all_sizes(config))
    for name in FAMILIES:
        settings = Settings(settings_of(config, name))
        try:
            read = vars(with_all_sizes(config_of(settings, config.special)))
        except ValueError:
            continue
        differ = [key for key, value in own.items() if read[key] != value]
        if not differ:
            found.append(name)
        others[name] = [
            f"{key} must be {read[key]!r} for {name}; received {own[key]!r}"
            for key in differ
        ]
    if not found:
        raise ValueError(min(others.values(), key=len)[0])
    return found


def with_all_sizes(config):
    """The same configuration with all sizes said, for any documents."""
    key_dim, value_dim = config.head_sizes
    return dataclasses.replace(
        config,
        key_dim=key_dim,
        value_dim=value_dim,
        num_key_value_heads=config.num_key_value_heads or config.num_heads,
        final_norm=config.has_final_norm,
        separate_documents=False,
    )
