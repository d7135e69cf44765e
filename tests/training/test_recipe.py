import keras
import numpy as np
import pytest

from keras_transformer.config import TrainingConfig, TransformerConfig
from keras_transformer.models.transformer import Transformer
from keras_transformer.training.r_drop import RDropCrossEntropy
from keras_transformer.training.recipe import compile_for_training

V = 11
SIZES = dict(encoder_layers=1, decoder_layers=1, d_model=8, d_ff=12, num_heads=2)


def a_model(**changes):
    vocabulary = dict(source_vocab_size=V, target_vocab_size=V)
    return Transformer(TransformerConfig(**vocabulary, **SIZES, **changes))


def arrays(rows=16):
    """Sentences of two to four tokens to copy, as NumPy arrays with padding."""
    random = np.random.default_rng(0)
    labels = random.integers(4, V, size=(rows, 5))
    lengths = random.integers(2, 5, size=(rows, 1))
    labels[np.arange(5) == lengths] = 3
    labels[np.arange(5) > lengths] = 0
    target_ids = np.pad(labels, ((0, 0), (1, 0)), constant_values=2)[:, :-1]
    return {"source_ids": labels, "target_ids": target_ids}, labels


def test_the_papers_recipe():
    model = a_model()
    assert compile_for_training(model) is model
    optimizer = model.optimizer
    assert (optimizer.beta_2, optimizer.epsilon) == (0.98, 1e-9)
    assert optimizer.gradient_accumulation_steps is None
    expected = 8**-0.5 * 4000**-1.5
    assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-5)
    assert model.loss.smoothing == 0.1 and model.loss.ignore_class == 0
    assert model.loss.reduction == "mean_with_sample_weight"


def test_class_weights_are_refused():
    inputs, labels = arrays()
    model = compile_for_training(a_model())
    message = r"class_weight must be absent; sample_weight \(B, T\) weighs tokens"
    with pytest.raises(ValueError, match=message):
        model.fit(inputs, labels, class_weight={3: 2.0})


def test_what_the_configuration_says_is_done():
    training = TrainingConfig(
        warmup_updates=50,
        learning_rate_scale=2.0,
        label_smoothing=0.2,
        gradient_accumulation=3,
        weight_decay=0.01,
        clip_norm=1.5,
    )
    model = compile_for_training(a_model(pad_id=9), training, loss_reduction="sum")
    optimizer = model.optimizer
    assert (optimizer.weight_decay, optimizer.global_clipnorm) == (0.01, 1.5)
    assert optimizer.gradient_accumulation_steps == 3
    schedule = optimizer.get_config()["learning_rate"]["config"]
    assert schedule["gradient_accumulation_steps"] == 3
    assert (schedule["warmup_updates"], schedule["scale"]) == (50, 2.0)
    assert (model.loss.smoothing, model.loss.ignore_class) == (0.2, 9)
    assert model.loss.reduction == "sum" and not optimizer.use_ema


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="traces twice")
def test_a_step_is_traced_once():
    class Counting(Transformer):
        traced = 0

        def compute_loss(self, *args, **options):
            self.traced += 1
            return super().compute_loss(*args, **options)

    model = compile_for_training(Counting(a_model().config))
    model.fit(*arrays(), verbose=0)
    assert model.traced == 1


def test_options_that_regularise():
    training = TrainingConfig(r_drop=3.0, label_smoothing=0.2, ema_momentum=0.9)
    model = compile_for_training(a_model(), training)
    assert type(model.loss) is RDropCrossEntropy
    assert (model.loss.alpha, model.loss.smoothing) == (3.0, 0.2)
    assert model.loss.ignore_class == 0
    assert model.optimizer.use_ema and model.optimizer.ema_momentum == 0.9
    inputs, labels = arrays()
    twice = {name: np.repeat(ids, 2, axis=0) for name, ids in inputs.items()}
    how = dict(epochs=2, shuffle=False, verbose=0)
    losses = model.fit(twice, np.repeat(labels, 2, axis=0), **how).history["loss"]
    assert np.isfinite(losses).all()


def test_r_drop_is_a_loss_of_states_too():
    """Both without logits of a whole batch; a mean over a batch needs them."""
    training = TrainingConfig(r_drop=3.0)
    model = compile_for_training(a_model(), training, loss_reduction="sum")
    assert model.loss_of_states.loss.alpha == 3.0
    assert compile_for_training(a_model(), training).loss_of_states is None


def test_fit_on_arrays_reports_what_the_logits_say():
    """Padded labels count neither in the loss nor in the metrics."""
    model = compile_for_training(a_model(dropout=0.0))
    inputs, labels = arrays()
    logits = model.predict_on_batch(inputs).astype("float64")
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    chosen = np.take_along_axis(log_probs, labels[..., None], -1)[..., 0]
    smoothed = -(0.9 * chosen + 0.1 * log_probs.mean(-1))
    real = labels != 0
    expected = {
        "loss": smoothed[real].mean(),
        "nats": -chosen[real].mean(),
        "perplexity": np.exp(-chosen[real].mean()),
        "accuracy": (logits.argmax(-1) == labels)[real].mean(),
    }
    # One batch, so that the history is that of the weights as they were.
    history = model.fit(inputs, labels, batch_size=16, verbose=0).history
    assert set(history) == set(expected)
    for name, value in expected.items():
        assert history[name][0] == pytest.approx(value, rel=1e-4), name
    assert float(model.optimizer.gradient_norm) > 0


def test_it_learns():
    training = TrainingConfig(warmup_updates=10, learning_rate_scale=0.5)
    model = compile_for_training(a_model(dropout=0.0), training)
    nats = model.fit(*arrays(), epochs=12, verbose=0).history["nats"]
    assert nats[-1] < 0.9 * nats[0]
