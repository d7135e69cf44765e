"""The same weights in Hugging Face's `MarianMTModel`: the oracle of the logits."""

import numpy as np
import torch
from keras import ops
from transformers import MarianConfig, MarianMTModel

from keras_transformer.text.special_tokens import BEGIN, END, PAD


def as_torch(x):
    # np.array copies: an array of JAX is read-only.
    return torch.from_numpy(np.array(ops.convert_to_numpy(x), dtype="float32"))


def marian_config(config, max_positions=512):
    """The `MarianConfig` of a `TransformerConfig`, with our special tokens."""
    size = config.d_model // config.num_heads
    sizes = {config.key_dim or size, config.value_dim or size}
    if config.norm_first or sizes != {size}:
        raise ValueError(
            f"config must be post-norm with heads of size {size}; received {config}"
        )
    shared = dict(
        d_model=config.d_model,
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
    )
    return MarianConfig(
        vocab_size=config.source_vocab_size,
        decoder_vocab_size=config.target_vocab_size,
        share_encoder_decoder_embeddings=config.share_embeddings,
        encoder_layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        encoder_ffn_dim=config.d_ff,
        decoder_ffn_dim=config.d_ff,
        encoder_attention_heads=config.num_heads,
        decoder_attention_heads=config.num_heads,
        activation_function=config.activation,
        scale_embedding=True,
        max_position_embeddings=max_positions,
        pad_token_id=PAD,
        eos_token_id=END,
        decoder_start_token_id=BEGIN,
        forced_eos_token_id=None,
        **shared,
    )


def copy_dense(linear, layer):
    """A `Dense` of ours into `nn.Linear`."""
    linear.weight.copy_(as_torch(layer.kernel).T)
    linear.bias.zero_()
    if layer.bias is not None:
        linear.bias.copy_(as_torch(layer.bias))


def copy_norm(norm, layer):
    norm.eps = layer.epsilon
    norm.weight.copy_(as_torch(layer.gamma))
    norm.bias.copy_(as_torch(layer.beta))


def copy_attention(theirs, ours):
    copy_dense(theirs.q_proj, ours.query)
    copy_dense(theirs.k_proj, ours.key)
    copy_dense(theirs.v_proj, ours.value)
    copy_dense(theirs.out_proj, ours.output_projection)


def copy_stack(theirs, ours):
    """An encoder or a decoder of ours into Marian's.

    The positions are copied too: Marian's own are halves.
    """
    positions = np.arange(theirs.embed_positions.num_embeddings)[None]
    theirs.embed_positions.weight.copy_(as_torch(ours.embedding.encode(positions))[0])
    theirs.embed_tokens.weight.copy_(
        as_torch(ours.embedding.token_embedding.embeddings)
    )
    for layer, block in zip(theirs.layers, ours.blocks, strict=True):
        copy_attention(layer.self_attn, block.self_attention)
        copy_norm(layer.self_attn_layer_norm, block.self_attention_residual.norm)
        if hasattr(layer, "encoder_attn"):
            copy_attention(layer.encoder_attn, block.cross_attention)
            norm = block.cross_attention_residual.norm
            copy_norm(layer.encoder_attn_layer_norm, norm)
        copy_dense(layer.fc1, block.feed_forward.expand)
        copy_dense(layer.fc2, block.feed_forward.contract)
        copy_norm(layer.final_layer_norm, block.feed_forward_residual.norm)


def marian_from(model, max_positions=512):
    """A `MarianMTModel` with the weights of a post-norm `Transformer`.

    Args:
        model: our `Transformer`; projections without biases become projections with
            biases of 0.
        max_positions: rows of Marian's position table, copied from ours; the length
            that it can read or write.
    """
    if model.config.positions == "learned":
        max_positions = min(max_positions, model.config.max_positions)
    marian = MarianMTModel(marian_config(model.config, max_positions)).eval()
    with torch.no_grad():
        copy_stack(marian.model.encoder, model.encoder)
        copy_stack(marian.model.decoder, model.decoder)
        matrix = model.decoder.embedding.token_embedding.embeddings
        marian.lm_head.weight.copy_(as_torch(matrix))
    # As our search: padding and the begin token are never generated.
    marian.generation_config.bad_words_ids = [[PAD], [BEGIN]]
    return marian
