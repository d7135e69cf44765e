import numpy as np
import pytest

from keras_transformer.training.averaging import average_weights


def test_mean_of_each_array():
    random = np.random.default_rng(0)
    checkpoints = [
        [random.normal(size=(2, 3)).astype("float32"), np.array([k, -k], "float16")]
        for k in (1, 2, 6)
    ]
    matrix, vector = average_weights(iter(checkpoints))
    np.testing.assert_allclose(
        matrix, np.mean([weights[0] for weights in checkpoints], axis=0), rtol=1e-6
    )
    assert vector.tolist() == [3.0, -3.0]
    assert (matrix.dtype, vector.dtype) == (np.float32, np.float16)


def test_bad_checkpoints():
    message = "checkpoints must hold at least one list of weights; received 0"
    with pytest.raises(ValueError, match=message):
        average_weights([])
    message = r"arrays of shapes \[\(2,\)\]; received \[\(3,\)\]"
    with pytest.raises(ValueError, match=message):
        average_weights([[np.zeros(2)], [np.zeros(3)]])
