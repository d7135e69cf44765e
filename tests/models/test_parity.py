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
    with torch.no_grad():
        source, target = (
            torch.from_numpy(inputs[name]).long()
            for name in ("source_ids", "target_ids")
        )
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
    (inputs, labels, _), model = batch, make(**{**SIZES, **changes})
    marian = marian_from(model, max_positions=31)

    def call(source, target):
        return marian(
            input_ids=source, attention_mask=source != 0, decoder_input_ids=target
        ).logits

    real = labels != 0
    np.testing.assert_allclose(
        numpy(model(inputs))[real], logits_of(call, inputs)[real], **TOLERANCE
    )


def test_marians_own_table_is_our_halves(make):
    model = make(**SIZES, positions="sinusoidal_halves")
    marian = marian_from(model, max_positions=31)
    copied = marian.model.encoder.embed_positions
    np.testing.assert_allclose(
        copied.weight.detach().numpy(), copied.create_weight().numpy(), atol=2e-6
    )


def test_marian_needs_what_it_can_hold(make):
    with pytest.raises(
        ValueError,
        match="config must be post-norm with heads of size 7; received .*norm='pre'",
    ):
        marian_from(make(norm_first=True))


class TorchTransformer(torch.nn.Module):
    """`torch.nn.Transformer` between our embedding and our projection."""

    def __init__(self, model):
        super().__init__()
        c = model.config
        options = dict(
            batch_first=True,
            norm_first=False,
            layer_norm_eps=c.layer_norm_epsilon,
            dropout=0.0,
        )
        self.transformer = torch.nn.Transformer(
            c.d_model,
            c.num_heads,
            c.encoder_layers,
            c.decoder_layers,
            c.d_ff,
            activation=c.activation,
            **options,
        )
        self.transformer.encoder.norm = self.transformer.decoder.norm = None
        self.model, self.matrix = model, as_torch(model.decoder.embedding.embeddings)
        with torch.no_grad():
            for stack, ours in (
                (self.transformer.encoder, model.encoder),
                (self.transformer.decoder, model.decoder),
            ):
                for layer, block in zip(stack.layers, ours.blocks, strict=True):
                    self.copy_block(layer, block)

    def copy_block(self, layer, block):
        parts = [(layer.self_attn, block.self_attention, block.self_attention_norm)]
        if hasattr(layer, "multihead_attn"):
            parts.append(
                (
                    layer.multihead_attn,
                    block.cross_attention,
                    block.cross_attention_norm,
                )
            )
        for n, (theirs, ours, norm) in enumerate(parts, start=1):
            projections = (ours.query, ours.key, ours.value)
            theirs.in_proj_weight.copy_(
                torch.cat([as_torch(p.kernel).T for p in projections])
            )
            theirs.in_proj_bias.copy_(
                torch.cat([as_torch(p.bias) for p in projections])
            )
            copy_dense(theirs.out_proj, ours.output_projection)
            copy_norm(getattr(layer, f"norm{n}"), norm)
        copy_dense(layer.linear1, block.feed_forward.expand)
        copy_dense(layer.linear2, block.feed_forward.contract)
        copy_norm(getattr(layer, f"norm{len(parts) + 1}"), block.feed_forward_norm)

    def forward(self, source, target):
        x, y = (
            as_torch(self.model.decoder.embedding(ids.numpy()))
            for ids in (source, target)
        )
        later = torch.triu(
            torch.ones(target.shape[1], target.shape[1], dtype=torch.bool), diagonal=1
        )
        padding = source == 0
        output = self.transformer(
            x,
            y,
            tgt_mask=later,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return output @ self.matrix.T


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_torch_transformer(make, batch, activation):
    (inputs, labels, _), model = batch, make(**SIZES, activation=activation)
    real = labels != 0
    theirs = logits_of(TorchTransformer(model), inputs)
    np.testing.assert_allclose(numpy(model(inputs))[real], theirs[real], **TOLERANCE)
