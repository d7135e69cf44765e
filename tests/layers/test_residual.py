import numpy as np
import pytest
from layer_checks import check_layer, normal, numpy

from keras_transformer.layers.residual import Residual

X = np.array([[[1.0, 1.0, 3.0, 3.0]]])
UPDATE = np.array([[[2.0, 0.0, -2.0, 0.0]]])


def test_exam():
    inputs = normal(2, 3, 5), normal(2, 3, 5, seed=1)
    check_layer(lambda **options: Residual(0.0, **options), *inputs)


@pytest.mark.parametrize(
    "norm_first, prepared, output",
    [
        (False, [1, 1, 3, 3], [1, -1, -1, 1]),  # x + f = [3, 1, 1, 3]
        (True, [-1, -1, 1, 1], [3, 1, 1, 3]),
    ],
)
def test_by_hand(norm_first, prepared, output):
    connection = Residual(norm_first=norm_first)
    connection.build(X.shape)
    np.testing.assert_allclose(numpy(connection.prepare(X)), [[prepared]], atol=1e-5)
    np.testing.assert_allclose(numpy(connection(X, UPDATE)), [[output]], atol=1e-5)


def test_dropout_in_training_only():
    connection = Residual(0.5, norm_first=True)
    x = normal(1, 1, 64)
    update = np.ones((1, 1, 64), "float32")
    np.testing.assert_allclose(numpy(connection(x, update)), x + update, atol=1e-6)
    gained = numpy(connection(x, update, training=True)) - x
    assert set(np.round(gained.ravel(), 4)) == {0.0, 2.0}


def test_errors():
    for name in ("dropout", "layer_norm_epsilon"):
        message = f"{name} must lie between 0 and 1; received -1.0"
        with pytest.raises(ValueError, match=message):
            Residual(**{name: -1.0})
