"""Other people's Transformers, given the same weights, give the same logits."""

import keras
import numpy as np
import pytest
from layer_checks import numpy, whole

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from keras_transformer.export.to_huggingface import settings_of, tensors  # noqa: E402

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
    layer_norm_epsilon=1e-5,
    max_positions=31,
)


def logits_of(model, inputs):
    source = torch.from_numpy(inputs["source_ids"]).long()
    target = torch.from_numpy(inputs["target_ids"]).long()
    with torch.no_grad():
        return model(source, target).numpy()


def marian_of(model):
    """A `MarianMTModel` with the tensors that `export.huggingface` writes."""
    config = transformers.MarianConfig.from_dict(settings_of(model.config))
    marian = transformers.MarianMTModel(config).eval()
    weights = {name: torch.tensor(array) for name, array in tensors(model).items()}
    marian.load_state_dict(weights, strict=False)
    marian.tie_weights()
    return marian


@pytest.mark.parametrize(
    "changes",
    [
        dict(activation="relu", positions="sinusoidal_halves"),
        dict(activation="silu", positions="sinusoidal_halves"),
        dict(positions="sinusoidal", attention_bias=False, activation="gelu"),
        dict(positions="learned", share_embeddings=False, source_vocab_size=23),
    ],
)
def test_marian(make, batch, changes):
    inputs, labels, _ = batch
    model = make(**{**SIZES, **changes})
    marian = marian_of(model)

    def call(source, target):
        return marian(
            input_ids=source, attention_mask=source != 0, decoder_input_ids=target
        ).logits

    real = labels != 0
    theirs = logits_of(call, inputs)
    ours = numpy(whole(model, model)(inputs))
    np.testing.assert_allclose(ours[real], theirs[real], **TOLERANCE)


def test_marians_own_table_is_our_halves(make):
    model = make(**SIZES, positions="sinusoidal_halves")
    own = marian_of(model).model.encoder.embed_positions.create_weight()
    ours = numpy(model.encoder.embedding.encode(np.arange(31)[None]))[0]
    np.testing.assert_allclose(ours, own.numpy(), atol=2e-6)


def as_torch(x):
    # np.array copies: an array of JAX is read-only.
    return torch.from_numpy(np.array(keras.ops.convert_to_numpy(x), dtype="float32"))


def copy_dense(linear, layer):
    """A `Dense` of ours into `nn.Linear`."""
    linear.weight.copy_(as_torch(layer.kernel).T)
    linear.bias.copy_(as_torch(layer.bias))


def copy_norm(norm, layer):
    norm.weight.copy_(as_torch(layer.gamma))
    norm.bias.copy_(as_torch(layer.beta))


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
    ours = numpy(whole(model, model)(inputs))
    np.testing.assert_allclose(ours[real], theirs[real], **TOLERANCE)
