import keras
import numpy as np
import pytest
from layer_checks import check_layer, normal, numpy

from keras_transformer.layers.encoder_block import EncoderBlock

B, N, H, V, S, F, D = 2, 3, 5, 7, 11, 13, 17
X = normal(B, S, D)


def set_only_biases(block, **biases):
    """All kernels 0, so that each sub-layer gives its bias whatever its input."""
    for weight in block.weights:
        if "kernel" in weight.name:
            weight.assign(np.zeros(weight.shape))
    for name, bias in biases.items():
        layer = getattr(block, name)
        is_feed_forward = name == "feed_forward"
        last = layer.contract if is_feed_forward else layer.output_projection
        last.bias.assign(bias)


@pytest.mark.parametrize("norm_first", [False, True])
def test_exam(norm_first):
    sizes = dict(
        num_heads=N, key_dim=H, d_ff=F, value_dim=V, norm_first=norm_first, dropout=0.0
    )
    check_layer(lambda **options: EncoderBlock(**sizes, **options), X)


@pytest.mark.parametrize(
    "norm_first, expected",
    [(False, np.array([1.0, 3.0, -1.0, -3.0]) / 5**0.5), (True, [3.0, 5.0, 1.0, -1.0])],
)
def test_by_hand(norm_first, expected):
    block = EncoderBlock(1, 2, 3, norm_first=norm_first, use_bias=True)
    x = np.array([[[1.0, 1.0, 3.0, 3.0]]])
    block(x)
    set_only_biases(
        block, self_attention=[2.0, 0.0, -2.0, 0.0], feed_forward=[0.0, 4.0, 0.0, -4.0]
    )
    # post: x + a = [3, 1, 1, 3]; norm [1, -1, -1, 1]; + f = [1, 3, -1, -3]; its
    # variance is 5. pre: x + a + f
    np.testing.assert_allclose(numpy(block(x)), [[expected]], atol=1e-5)


@pytest.mark.parametrize("norm_first", [False, True])
def test_permuted_positions_give_permuted_outputs(norm_first):
    block = EncoderBlock(N, H, F, norm_first=norm_first)
    order = np.random.default_rng(3).permutation(S)
    np.testing.assert_allclose(
        numpy(block(X[:, order])), numpy(block(X))[:, order], atol=5e-6
    )


def test_masked_positions_have_no_influence():
    block = EncoderBlock(N, H, F)
    mask = np.arange(S)[None, None] < 4
    other = np.where(mask.transpose(0, 2, 1), X, 9.0)
    np.testing.assert_array_equal(
        numpy(block(X, mask))[:, :4], numpy(block(other, mask))[:, :4]
    )


def test_dropout_in_training_only():
    block = EncoderBlock(N, H, F, dropout=0.5)
    assert np.array_equal(numpy(block(X)), numpy(block(X)))
    assert not np.allclose(numpy(block(X, training=True)), numpy(block(X)))


def test_attention_weights_on_request():
    block = EncoderBlock(N, H, F)
    mask = np.arange(S)[None, None] < 4
    output, weights = block(X, mask, return_attention_scores=True)
    np.testing.assert_allclose(numpy(output), numpy(block(X, mask)), atol=5e-6)
    assert weights.shape == (B, N, S, S) and not numpy(weights)[..., 4:].any()
    np.testing.assert_allclose(numpy(weights).sum(-1), 1.0, atol=1e-5)
    symbols = EncoderBlock(N, H, F)(
        keras.KerasTensor((None, S, D)), return_attention_scores=True
    )
    assert [tuple(symbol.shape) for symbol in symbols] == [
        (None, S, D),
        (None, N, S, S),
    ]


class Scaled(EncoderBlock):
    """As a user may write one: with an `__init__` of its own."""

    def __init__(self, factor, **options):
        super().__init__(N, H, F, **options)
        self.factor = factor

    def call(self, x):
        return self.factor * super().call(x)


class Kept(EncoderBlock):
    """As we would write it."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.keep(locals())


def test_a_subclass_has_arguments_of_its_own():
    block = Scaled(3.0, norm="rms")
    plain = EncoderBlock(N, H, F, norm="rms")
    plain.build(X.shape)
    found = numpy(block(X))
    plain.set_weights(block.get_weights())
    np.testing.assert_allclose(found, 3 * numpy(plain(X)), atol=1e-5)
    kept = Kept(3.0, num_heads=N, key_dim=H, d_ff=F)
    again = Kept.from_config(kept.get_config())
    assert (again.factor, again.num_heads, again.norm) == (3.0, N, "layer")


def test_x_has_three_axes():
    with pytest.raises(ValueError, match="x must have three axes"):
        EncoderBlock(N, H, F)(normal(B, 2, S, D))


def test_an_unknown_norm_is_refused_at_once():
    with pytest.raises(ValueError, match="norm must be one of layer, rms; received"):
        EncoderBlock(N, H, F, norm="batch")
