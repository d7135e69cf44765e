"""Other people's Transformers, given the same weights, give the same logits."""

import numpy as np
import pytest
from layer_checks import numpy

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from marian import as_torch, copy_dense, copy_norm, marian_from  # noqa: E402

TOLERANCE = dict(atol=5e-6, rtol=0)
SIZES = dict(
    encoder_layers=2,
    decoder_layers=3,
    d_model=64,
    d_ff=96,
    num_heads=4,
    key_dim=None,
    value_dim=None,
    attention_bias=True,
)


def logits_of(model, inputs):
    source = torch.from_numpy(inputs["source_ids"]).long()
    target = torch.from_numpy(inputs["target_ids"]).long()
    with torch.no_grad():
        return model(source, target).numpy()


@pytest.mark.parametrize(
    "changes",
    [
        dict(activation="relu", positions="sinusoidal_halves", layer_norm_epsilon=1e-5),
        dict(activation="silu", positions="sinusoidal_halves", layer_norm_epsilon=1e-5),
        dict(positions="sinusoidal", attention_bias=False, activation="gelu"),
        dict(positions="learned", share_embeddings=False, source_vocab_size=23),
    ],
)
def test_marian(make, batch, changes):
    inputs, labels, _ = batch
    model = make(**{**SIZES, **changes})
    marian = marian_from(model, max_positions=31)

    def call(source, target):
        return marian(
            input_ids=source, attention_mask=source != 0, decoder_input_ids=target
        ).logits

    real = labels != 0
    theirs = logits_of(call, inputs)
    np.testing.assert_allclose(numpy(model(inputs))[real], theirs[real], **TOLERANCE)


def test_marians_own_table_is_our_halves(make):
    model = make(**SIZES, positions="sinusoidal_halves")
    marian = marian_from(model, max_positions=31)
    copied = marian.model.encoder.embed_positions
    own = copied.create_weight().numpy()
    np.testing.assert_allclose(copied.weight.detach().numpy(), own, atol=2e-6)


def test_marian_needs_what_it_can_hold(make):
    message = "post-norm with heads of size 7; received .*norm_first=True"
    with pytest.raises(ValueError, match=message):
        marian_from(make(norm_first=True))


class TorchTransformer(torch.nn.Module):
    """`torch.nn.Transformer` between our embedding and our projection."""

    def __init__(self, model):
        super().__init__()
        c = model.config
        self.model = model
        self.matrix = as_torch(model.decoder.embedding.token_embedding.embeddings)
        self.transformer = torch.nn.Transformer(
            c.d_model,
            c.num_heads,
            c.encoder_layers,
            c.decoder_layers,
            c.d_ff,
            activation=c.activation,
            batch_first=True,
            norm_first=False,
            layer_norm_eps=c.layer_norm_epsilon,
            dropout=0.0,
        )
        encoder = self.transformer.encoder
        decoder = self.transformer.decoder
        encoder.norm = None
        decoder.norm = None
        layers = [*encoder.layers, *decoder.layers]
        blocks = [*model.encoder.blocks, *model.decoder.blocks]
        with torch.no_grad():
            for layer, block in zip(layers, blocks, strict=True):
                copy_block(layer, block)

    def forward(self, source, target):
        embedding = self.model.decoder.embedding
        shape = (target.shape[1], target.shape[1])
        padding = source == 0
        output = self.transformer(
            as_torch(embedding(source.numpy())),
            as_torch(embedding(target.numpy())),
            tgt_mask=torch.triu(torch.ones(shape, dtype=torch.bool), diagonal=1),
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return output @ self.matrix.T


def copy_attention_block(theirs, norm, ours, residual):
    projections = (ours.query, ours.key, ours.value)
    kernels = [as_torch(projection.kernel).T for projection in projections]
    biases = [as_torch(projection.bias) for projection in projections]
    theirs.in_proj_weight.copy_(torch.cat(kernels))
    theirs.in_proj_bias.copy_(torch.cat(biases))
    copy_dense(theirs.out_proj, ours.output_projection)
    copy_norm(norm, residual.norm)


def copy_block(layer, block):
    copy_attention_block(
        layer.self_attn,
        layer.norm1,
        block.self_attention,
        block.self_attention_residual,
    )
    last_norm = layer.norm2
    if hasattr(layer, "multihead_attn"):
        copy_attention_block(
            layer.multihead_attn,
            layer.norm2,
            block.cross_attention,
            block.cross_attention_residual,
        )
        last_norm = layer.norm3
    copy_dense(layer.linear1, block.feed_forward.expand)
    copy_dense(layer.linear2, block.feed_forward.contract)
    copy_norm(last_norm, block.feed_forward_residual.norm)


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_torch_transformer(make, batch, activation):
    inputs, labels, _ = batch
    model = make(**SIZES, activation=activation)
    real = labels != 0
    theirs = logits_of(TorchTransformer(model), inputs)
    np.testing.assert_allclose(numpy(model(inputs))[real], theirs[real], **TOLERANCE)
