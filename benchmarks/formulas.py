"""What a training step needs of memory, network and arithmetic, as formulas.

docs/scaling.md explains them. `config` is a `TransformerConfig` without dropout in
attention; `tokens` are target tokens of the whole batch, padding included, and there
are as many source tokens; of `devices`, `model_devices` share one model. A number has
`width` bytes, 4 in float32.
`python -m benchmarks.scaling` compares all of this with what XLA compiles.
"""

import math

SLOTS = 2  # Adam's moments
# A position's source id, target id, label (int32) and weight (float32).
BATCH_BYTES = 16
# About so many maxima and sums over the vocabulary of a token, in loss and metrics.
LOSS_NUMBERS = 10
# Assumed: seconds of one message; share of a link's bandwidth.
LATENCY = 10e-6
REACHED = 0.7


def attentions(config):
    """Attention layers of the whole model."""
    return config.encoder_layers + 2 * config.decoder_layers


def sublayers(config):
    return 2 * config.encoder_layers + 3 * config.decoder_layers


def replicated_parameters(config):
    """Those that model parallelism does not cut.

    They are layer norms, biases of outputs, learned positions.
    """
    d = config.d_model
    vectors = 2 * sublayers(config) + config.encoder_layers + config.decoder_layers
    if config.attention_bias:
        vectors += attentions(config)
    if config.norm_first:
        vectors += 4
    if config.positions == "learned":
        tables = 1 if config.share_embeddings else 2
        vectors += tables * config.max_positions
    return d * vectors


def parameters_per_device(config, model_devices=1):
    whole = replicated_parameters(config)
    return whole + (config.parameters - whole) / model_devices


def state_bytes(config, tokens, devices=1, model_devices=1, width=4):
    """Weights, Adam's slots and the batch: what one device keeps between two steps."""
    batch = BATCH_BYTES * tokens * model_devices / devices
    return (1 + SLOTS) * width * parameters_per_device(config, model_devices) + batch


def activations_per_token(config, length, model_devices=1):
    """Numbers kept for the backward pass, for one source and one target token.

    The sentences have `length` tokens.
    """
    size = config.key_dim or config.d_model // config.num_heads
    each = 8 if config.dropout else 6
    whole = config.d_model * (each * sublayers(config) + 6)
    cut = attentions(config) * config.num_heads * (4 * size + 3 * length)
    cut += 2 * (
        config.side("source").d_ff * config.encoder_layers
        + config.side("target").d_ff * config.decoder_layers
    )
    # Two arrays of logits, of an eighth of the positions at a time.
    cut += config.target_vocab_size / 4
    return whole + cut / model_devices


def temporary_bytes(config, tokens, length, devices=1, model_devices=1, width=4):
    """What a step needs beside: the activations.

    The gradients move into their place as these are used up.
    """
    tokens_here = tokens * model_devices / devices
    activations = tokens_here * activations_per_token(config, length, model_devices)
    return width * max(activations, parameters_per_device(config, model_devices))


def ring_share(group):
    """Of what a ring of devices all-reduces, each sends this multiple."""
    return 2 * (group - 1) / group


def gradient_bytes(config, model_devices=1, width=4, summed=False):
    """Of the gradients that each device holds when they are summed over the groups.

    `summed`: as if the three gradients of a shared embedding were added before they are
        sent.
    """
    numbers = parameters_per_device(config, model_devices)
    if config.share_embeddings and not summed:
        numbers += 2 * config.target_vocab_size * config.d_model / model_devices
    return width * numbers


def model_bytes(config, tokens, devices, model_devices, width=4, summed=False):
    """What one device sends within its group.

    These are activations and their gradients `(tokens, d_model)`, and the loss.
    `summed`: as if the gradients of queries, keys and values were added before they are
        sent.
    """
    if model_devices == 1:
        return 0.0
    encoder = config.encoder_layers
    decoder = config.decoder_layers
    forward = 2 + 2 * encoder + 3 * decoder
    backward = 1 + (2 * encoder + 4 * decoder if summed else 4 * encoder + 7 * decoder)
    numbers = ring_share(model_devices) * (
        (forward + backward) * config.d_model + LOSS_NUMBERS
    )
    return width * numbers * tokens * model_devices / devices


def sent_bytes(config, tokens, devices, model_devices=1, width=4, summed=False):
    """What each device sends in one step."""
    gradients = gradient_bytes(config, model_devices, width, summed)
    between = ring_share(devices / model_devices) * gradients
    return between + model_bytes(config, tokens, devices, model_devices, width, summed)


def flops_per_token(config, length):
    """Of one update, for one source and one target token.

    Each parameter counts twice forward and four times backward.
    """
    size = config.key_dim or config.d_model // config.num_heads
    matrices = config.parameters
    if not config.share_embeddings:
        matrices -= config.source_vocab_size * config.d_model
    return 6 * matrices + 12 * attentions(config) * config.num_heads * size * length


def step_seconds(config, tokens, length, devices, chip, share):
    """Seconds of arithmetic and of sending gradients in one data-parallel update.

    Gradients are summed within each domain of fast links, then each device sums its
    part with those of other domains.

    Args:
        chip: a dictionary: `flops`, its peak a second; `domain`, devices with fast
            links among each other; `inside` and `outside`, bytes a second that one can
            send within its domain and beyond it.
        share: of the peak that is reached.
    """
    flops = tokens * flops_per_token(config, length)
    arithmetic = flops / (devices * chip["flops"] * share)
    near = min(devices, chip["domain"])
    gradients = gradient_bytes(config)
    sending = 2 * math.log2(devices) * LATENCY
    sending += ring_share(near) * gradients / (chip["inside"] * REACHED)
    part = gradients / near
    sending += ring_share(devices / near) * part / (chip["outside"] * REACHED)
    return arithmetic, sending


def store_bytes(pairs, source_tokens, target_tokens, vocab_size):
    """Of a `TokenStore` of that many pairs.

    The tokens are those of a mean sentence, begin and end not counted.
    """
    ids = (2 if vocab_size <= 2**16 else 4) * pairs * (source_tokens + target_tokens)
    return ids + 2 * 8 * (pairs + 1)
