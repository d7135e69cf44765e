"""The weights of a stack of blocks: the path to each, and its shape.

Shapes are torch's: `(outputs, inputs)` of a kernel.
"""

import math

# Those of a block, by the side of the model.
ATTENTIONS = {
    "source": ("self_attention",),
    "target": ("self_attention", "cross_attention"),
}


def around_blocks(config):
    """The weights of a stack beside its blocks, but for its embedding."""
    if config.embedding_norm:
        yield from norm("embedding_norm", config)
    if config.has_final_norm:
        yield from norm("final_norm", config)
    if config.positions == "relative":
        yield "relative_bias.table", (config.relative_buckets, config.num_heads)


def block(path, config, side, attentions=None):
    """The weights of a block of a side, which may have other attentions."""
    width = config.d_model
    d_ff = config.side(side).d_ff
    for name in attentions or ATTENTIONS[side]:
        yield from attention(f"{path}.{name}", config)
        yield from norm(f"{path}.{name}_residual.norm", config)
    shapes = {"expand": (d_ff, width), "contract": (width, d_ff)}
    if config.gated:
        shapes["gate"] = (d_ff, width)
    for part, shape in shapes.items():
        yield from dense(f"{path}.feed_forward.{part}", shape, config.feed_forward_bias)
    yield from norm(f"{path}.feed_forward_residual.norm", config)


def attention(path, config):
    """The weights of an attention."""
    width = config.d_model
    key_dim, value_dim = config.head_sizes
    groups = config.num_key_value_heads or config.num_heads
    shapes = {
        "query": (config.num_heads * key_dim, width),
        "key": (groups * key_dim, width),
        "value": (groups * value_dim, width),
        "output_projection": (width, config.num_heads * value_dim),
    }
    for part, shape in shapes.items():
        yield from dense(f"{path}.{part}", shape, config.attention_bias)


def dense(path, shape, use_bias=True):
    """The weights of a dense layer."""
    yield f"{path}.kernel", shape
    if use_bias:
        yield f"{path}.bias", shape[:1]


def norm(path, config):
    """The weights of a norm."""
    shape = (config.d_model,)
    if config.norm == "rms":
        yield f"{path}.scale", shape
    else:
        yield f"{path}.gamma", shape
        yield f"{path}.beta", shape


def count(weights):
    """How many numbers some weights have."""
    return sum(math.prod(shape) for _, shape in weights)
