import keras
import numpy as np
import pytest
from keras import ops

from keras_transformer.training.optimizer import Adam, GradientTransform, paper_adam
from keras_transformer.training.schedule import WarmupSchedule


class SGD(GradientTransform, keras.optimizers.SGD):
    pass


def test_papers_adam():
    adam = paper_adam(0.1, global_clipnorm=2.0)
    assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.9, 0.98, 1e-9)
    assert adam.global_clipnorm == 2.0


@pytest.mark.parametrize("own, steps", [(1, 6), (6, None), (6, 3)])
def test_a_schedule_that_counts_other_updates_is_refused(own, steps):
    schedule = WarmupSchedule(512, gradient_accumulation_steps=own)
    must = f"steps must be the optimizer's {steps or 1} in its WarmupSchedule; .* {own}"
    with pytest.raises(ValueError, match=must):
        paper_adam(schedule, gradient_accumulation_steps=steps)


@pytest.mark.parametrize(
    "changes", [{}, {"global_clipnorm": 0.5}, {"epsilon": 0.5}, {"amsgrad": True}]
)
def test_it_is_keras_adam_that_remembers_the_norm_before_clipping(changes):
    first = [np.array([3.0, 0.0]), np.array([[4.0]])]
    second = [np.ones(2), np.ones((1, 1))]
    options = dict(weight_decay=0.01, **changes)
    weights = []
    for kind in (Adam, keras.optimizers.Adam):
        optimizer = kind(0.1, **options)
        variables = [keras.Variable(np.ones(s, "float32")) for s in (2, (1, 1))]
        for own in (first, second):
            gradients = [ops.convert_to_tensor(g, "float32") for g in own]
            optimizer.apply(gradients, variables)
            if kind is Adam:
                norm = np.sqrt(sum(np.square(g).sum() for g in own))
                assert float(optimizer.gradient_norm) == pytest.approx(norm, rel=1e-6)
        weights.append([ops.convert_to_numpy(variable) for variable in variables])
    for ours, theirs in zip(*weights):
        # Keras computes 1 - beta_2^t in float32: its updates are right to 3e-5.
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("batches, steps", [(5, 3), (4, 2), (1, 1000)])
def test_the_last_update_of_an_epoch_is_the_mean_of_what_is_left(batches, steps):
    """Two epochs, beside one update of the mean of each group of batches."""
    gradients = np.random.default_rng(0).normal(size=(2, batches, 7)).astype("float32")
    schedule = WarmupSchedule(16, 2, gradient_accumulation_steps=steps)
    accumulating = SGD(schedule, gradient_accumulation_steps=steps)
    accumulating.epoch_batches = batches
    plain = keras.optimizers.SGD(WarmupSchedule(16, 2))
    found = keras.Variable(np.ones(7, "float32"))
    expected = keras.Variable(np.ones(7, "float32"))
    updates = 0
    for epoch in gradients:
        for first in range(0, batches, steps):
            group = epoch[first : first + steps]
            for gradient in group:
                accumulating.apply([ops.convert_to_tensor(gradient)], [found])
            plain.apply([ops.convert_to_tensor(group.mean(axis=0))], [expected])
            updates += 1
            np.testing.assert_allclose(
                ops.convert_to_numpy(found), ops.convert_to_numpy(expected), rtol=1e-5
            )
    assert int(accumulating.iterations) == updates


def test_nothing_to_learn():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.trainable = False
    model.compile(paper_adam(0.1), "mse")
    before = model.get_weights()
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_saved_and_loaded_with_a_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(paper_adam(0.1), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is Adam
    norm = float(model.optimizer.gradient_norm)
    assert norm > 0 and float(loaded.optimizer.gradient_norm) == norm
