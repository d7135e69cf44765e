import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import NOT_ON_JAX, ON_TORCH, gradient, marked

from keras_transformer.config import TrainingConfig, TransformerConfig
from keras_transformer.models.transformer import Transformer
from keras_transformer.training.fused import FusedLoss
from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.metrics import (
    Perplexity,
    TokenAccuracy,
    TokenCrossEntropy,
)
from keras_transformer.training.r_drop import RDropCrossEntropy
from keras_transformer.training.recipe import compile_for_training

B, D, V = 3, 5, 7
KINDS = (TokenCrossEntropy, Perplexity, TokenAccuracy)
SIZES = dict(encoder_layers=1, decoder_layers=1, d_model=8, d_ff=12, num_heads=2)


def example(length):
    """States, matrix, bias, labels and weights; each row's end is padding."""
    random = np.random.default_rng(length)
    labels = random.integers(1, V, (B, length))
    labels[:, length - length // 3 :] = 0
    states = random.normal(size=(B, length, D)).astype("float32")
    matrix = random.normal(size=(V, D)).astype("float32")
    bias = random.normal(size=(V,)).astype("float32")
    real = (labels != 0).astype("float32")
    return states, matrix, bias, labels, real / real.sum()


def reference(states, matrix, bias, labels, weights, smoothing):
    """Loss, nats, accuracy, and the slopes by states and matrix, in float64."""
    x = states.astype("float64")
    z = x @ matrix.T.astype("float64") + (0.0 if bias is None else bias)
    log_p = z - np.log(np.exp(z).sum(-1, keepdims=True))
    one_hot = np.eye(V)[labels]
    target = (1 - smoothing) * one_hot + smoothing / V
    loss = -(weights[..., None] * target * log_p).sum()
    real = weights > 0
    nats = -(one_hot * log_p).sum(-1)[real].mean()
    accuracy = (z.argmax(-1) == labels)[real].mean()
    slope = weights[..., None] * (np.exp(log_p) - target)
    by_matrix = np.einsum("btv,btd->vd", slope, x)
    return (loss, nats, accuracy), slope @ matrix, by_matrix


def fused(smoothing=0.1):
    loss = LabelSmoothedCrossEntropy(smoothing, ignore_class=0, reduction="sum")
    return FusedLoss(loss, [kind(ignore_class=0) for kind in KINDS])


@pytest.mark.parametrize("length", [3, 8, 19])  # parts are empty, equal, unequal
@pytest.mark.parametrize("smoothing, has_bias", [(0.0, True), (0.1, False)])
def test_loss_metrics_and_gradients_equal_float64(length, smoothing, has_bias):
    states, matrix, bias, labels, weights = example(length)
    bias = bias if has_bias else None
    values, by_states, by_matrix = reference(
        states, matrix, bias, labels, weights, smoothing
    )
    loss, nats, accuracy = values
    for training in (True, False):
        measure = fused(smoothing)
        given = (ops.convert_to_tensor(matrix), bias)
        x = ops.convert_to_tensor(states)
        found = measure(labels, x, given, weights, training=training)
        assert float(found) == pytest.approx(loss, rel=1e-5)
        results = [float(metric.result()) for metric in measure.metrics]
        assert results == pytest.approx([nats, np.exp(nats), accuracy], rel=1e-5)

    def of_states(x):
        given = (ops.convert_to_tensor(matrix), bias)
        return fused(smoothing)(labels, x + 0.0, given, weights)

    def of_matrix(matrix):
        given = (matrix + 0.0, bias)
        return fused(smoothing)(labels, ops.convert_to_tensor(states), given, weights)

    np.testing.assert_allclose(gradient(of_states, states), by_states, atol=1e-6)
    np.testing.assert_allclose(gradient(of_matrix, matrix), by_matrix, atol=1e-6)


@marked(NOT_ON_JAX)
@pytest.mark.parametrize("length", [3, 19])
@pytest.mark.parametrize("has_bias", [True, False])
def test_r_drop_is_that_of_the_logits(length, has_bias):
    """The divergence, and both slopes, of rows that stand twice."""
    states, matrix, bias, labels, weights = example(length)
    labels = np.repeat(labels, 2, axis=0)
    weights = np.repeat(weights, 2, axis=0) / 2
    noise = np.random.default_rng(7).normal(size=(2 * B, length, D))
    states = (np.repeat(states, 2, axis=0) + noise).astype("float32")
    bias = ops.convert_to_tensor(bias) if has_bias else None
    loss = RDropCrossEntropy(5.0, 0.1, ignore_class=0, reduction="sum")

    def of_logits(x, matrix):
        logits = ops.matmul(x, ops.transpose(matrix))
        return loss(labels, logits if bias is None else logits + bias, weights)

    def in_parts(x, matrix):
        return FusedLoss(loss, [])(labels, x, (matrix, bias), weights)

    found = in_parts(ops.convert_to_tensor(states), ops.convert_to_tensor(matrix))
    expected = of_logits(states, matrix)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)

    def slopes_of(loss_of):
        def of_states(x):
            return loss_of(x + 0.0, ops.convert_to_tensor(matrix))

        def of_matrix(m):
            return loss_of(ops.convert_to_tensor(states), m + 0.0)

        return gradient(of_states, states), gradient(of_matrix, matrix)

    for found, expected in zip(slopes_of(in_parts), slopes_of(of_logits)):
        np.testing.assert_allclose(found, expected, atol=2e-6)
    swapped = weights.copy()
    swapped[0] *= 2
    other = FusedLoss(loss, [])(labels, states, (matrix, bias), swapped)
    assert np.isnan(float(other))
    with pytest.raises(ValueError, match=r"y_true must have each row twice; received"):
        FusedLoss(loss, [])(labels[:5], states[:5], (matrix, bias), weights[:5])


@pytest.mark.parametrize("label", [-1, V])
def test_a_label_that_is_no_class_is_nan_unless_it_does_not_count(label):
    states, matrix, bias, labels, weights = example(5)
    given = (ops.convert_to_tensor(states), (ops.convert_to_tensor(matrix), bias))
    expected = float(fused()(labels, *given, weights))
    padding = np.where(labels == 0, label, labels)
    assert float(fused()(padding, *given, weights)) == expected
    wrong = np.where(labels == labels[0, 0], label, labels)
    assert np.isnan(float(fused()(wrong, *given, weights)))


def test_slopes_of_small_weights_are_not_lost_in_half_precision():
    states, matrix, _, labels, weights = example(5)

    def slope(scale):
        def of_states(x):
            given = (ops.convert_to_tensor(matrix), None)
            x = ops.cast(x, "float16")
            return fused()(labels, x, given, weights * scale) / scale

        return gradient(of_states, states)

    np.testing.assert_allclose(slope(2.0**-20), slope(1.0), rtol=2e-3, atol=1e-4)


def test_nothing_counts():
    states, matrix, bias, labels, _ = example(5)
    given = (ops.convert_to_tensor(states), (ops.convert_to_tensor(matrix), bias))
    assert float(fused()(np.zeros_like(labels), *given)) == 0.0


def compiled(is_fused, dtype="float32", **changes):
    """A model with the recipe's loss as a sum, of states or of logits."""
    keras.utils.set_random_seed(3)
    sizes = dict(source_vocab_size=11, target_vocab_size=11, dropout=0.0)
    config = TransformerConfig(**sizes, **SIZES, **changes)
    training = TrainingConfig(warmup_updates=9, dtype=dtype)
    model = Transformer(config, dtype=dtype)
    compile_for_training(model, training, loss_reduction="sum")
    assert model.loss_of_states is not None
    if not is_fused:
        model.loss_of_states = None
    return model


def a_batch():
    random = np.random.default_rng(0)
    labels = random.integers(4, 11, size=(5, 9))
    labels[np.arange(9) > random.integers(3, 9, size=(5, 1))] = 0
    target_ids = np.pad(labels, ((0, 0), (1, 0)), constant_values=2)[:, :-1]
    weights = (labels != 0).astype("float32")
    inputs = {"source_ids": labels, "target_ids": target_ids}
    return inputs, labels, weights / weights.sum()


CASES = {
    "tied": {},
    "own": dict(share_embeddings=False, tie_output=False, output_bias=True),
    "bfloat16": dict(dtype="mixed_bfloat16"),
    "float16": dict(dtype="mixed_float16"),
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_a_step_is_that_of_the_logits(changes):
    if changes is CASES["float16"] and keras.backend.backend() == "jax":
        pytest.skip("JAX has no such products on CPUs")
    inputs, labels, weights = a_batch()
    after = []
    for is_fused in (False, True):
        model = compiled(is_fused, **changes)
        logs = [model.test_on_batch(inputs, labels, weights, return_dict=True)]
        model.reset_metrics()
        for _ in range(2):
            logs.append(model.train_on_batch(inputs, labels, weights, return_dict=True))
        after.append((logs, model.get_weights(), model.predict_on_batch(inputs)))
    (logs, weights, logits), (found_logs, found, found_logits) = after
    tolerance = 3e-2 if "dtype" in changes else 2e-4
    for ours, expected in zip(found_logs, logs):
        assert set(ours) == {"loss", "nats", "perplexity", "accuracy"}
        for name, value in expected.items():
            assert float(ours[name]) == pytest.approx(float(value), rel=tolerance)
    for ours, expected in zip(found, weights):
        np.testing.assert_allclose(ours, expected, atol=5 * tolerance)
    assert found_logits.shape == logits.shape == (5, 9, 11)


@marked(ON_TORCH)
def test_other_losses_are_added():
    model = compiled(True)
    matrix = model.decoder.embedding.token_embedding.embeddings
    before = model.test_on_batch(*a_batch(), return_dict=True)["loss"]
    matrix.regularizer = keras.regularizers.L2(1.0)
    model.make_test_function(force=True)
    model.reset_metrics()
    after = model.test_on_batch(*a_batch(), return_dict=True)["loss"]
    squares = (ops.convert_to_numpy(matrix) ** 2).sum()
    assert after - before == pytest.approx(squares, rel=1e-4)


@marked(ON_TORCH)
def test_labels_of_another_shape_are_refused():
    inputs, labels, _ = a_batch()
    model = compiled(True)
    for wrong in (np.tile(labels, 2), labels[:, :4], labels[:, :, None]):
        with pytest.raises(ValueError, match="y_true .*must .*; received"):
            model.test_on_batch(inputs, wrong)


@marked(ON_TORCH)
def test_methods_of_a_users_own_get_logits():
    shapes = []
    teacher = compiled(True)

    class Distilled(Transformer):
        def compute_loss(self, x=None, y=None, y_pred=None, *rest, **options):
            shapes.extend([tuple(y_pred.shape), tuple(teacher(x).shape)])
            return super().compute_loss(x, y, y_pred, *rest, **options)

    expected = compiled(True)
    model = Distilled(expected.config)
    model.set_weights(expected.get_weights())
    compile_for_training(model, loss_reduction="sum")
    found = model.test_on_batch(*a_batch())
    assert {*shapes} == {(5, 9, 11)}
    np.testing.assert_allclose(found, expected.test_on_batch(*a_batch()), rtol=1e-4)


@marked(ON_TORCH)
def test_another_model_in_the_step_gives_logits():
    shapes = []
    other = compiled(True)

    class Counting(TokenAccuracy):
        def add(self, total, count):
            shapes.append(tuple(other(a_batch()[0]).shape))
            return super().add(total, count)

    model = compiled(True)
    model.loss_of_states.metrics = [Counting(name="own")]
    model.test_on_batch(*a_batch())
    assert shapes == [(5, 9, 11)]


@pytest.mark.slow
def test_a_quantized_projection_is_measured_by_its_logits():
    model = compiled(True)
    model.quantize("int8")
    assert not model.decoder.has_plain_projection
    logits = model.predict_on_batch(a_batch()[0]).astype("float64")
    inputs, labels, weights = a_batch()
    found = model.test_on_batch(inputs, labels, weights, return_dict=True)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    nats = -np.take_along_axis(log_p, labels[..., None], -1)[..., 0]
    expected = nats[labels != 0].mean()
    assert float(found["nats"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX states its memory")
def test_one_update_takes_less_memory_than_the_logits_alone():
    import jax

    vocabulary = 4001
    rows = 16
    length = 24
    states = jax.ShapeDtypeStruct((rows, length, 16), "float32")
    matrix = jax.ShapeDtypeStruct((vocabulary, 16), "float32")
    labels = np.ones((rows, length), "int32")

    def loss(states, matrix):
        measure = FusedLoss(LabelSmoothedCrossEntropy(reduction="sum"), [])
        return measure(labels, states, (matrix, None))

    step = jax.jit(jax.grad(loss, argnums=(0, 1)))
    memory = step.lower(states, matrix).compile().memory_analysis()
    logits = 4 * rows * length * vocabulary
    assert memory.temp_size_in_bytes < 0.6 * logits
