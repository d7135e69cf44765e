import keras
import numpy as np
import pytest
from keras import ops

from keras_transformer.training.optimizer import Adam, paper_adam


def test_papers_adam():
    adam = paper_adam(0.1, global_clipnorm=2.0)
    assert (adam.beta_1, adam.beta_2, adam.epsilon) == (0.9, 0.98, 1e-9)
    assert adam.global_clipnorm == 2.0


@pytest.mark.parametrize("clipping", [None, 0.5])
def test_it_is_keras_adam_that_remembers_the_norm_before_clipping(clipping):
    first = [np.array([3.0, 0.0]), np.array([[4.0]])]
    second = [np.ones(2), np.ones((1, 1))]
    options = dict(global_clipnorm=clipping, weight_decay=0.01)
    weights = []
    for kind in (Adam, keras.optimizers.Adam):
        optimizer = kind(0.1, **options)
        variables = [keras.Variable(np.ones(2)), keras.Variable(np.ones((1, 1)))]
        for own in (first, second):
            gradients = [ops.convert_to_tensor(g, "float32") for g in own]
            optimizer.apply(gradients, variables)
            if kind is Adam:
                norm = np.sqrt(sum(np.square(g).sum() for g in own))
                assert float(optimizer.gradient_norm) == pytest.approx(norm, rel=1e-6)
        weights.append([ops.convert_to_numpy(variable) for variable in variables])
    for ours, theirs in zip(*weights):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_saved_and_loaded_with_a_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(paper_adam(0.1), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is Adam
    norm = float(model.optimizer.gradient_norm)
    assert norm > 0 and float(loaded.optimizer.gradient_norm) == norm
