import keras
import numpy as np
import pytest
from keras import ops
from small import DATA, MODEL, log, training

from keras_transformer.runs.run import Run
from keras_transformer.runs.sealed_files import load_arrays
from keras_transformer.training.averaging import average_weights
from keras_transformer.training.open_batches import open_batches
from keras_transformer.training.optimizer import paper_adam
from keras_transformer.training.recipe import compile_for_training
from keras_transformer.training.train import train

MOVING = training(ema_momentum=0.75, max_updates=None, average_last=1)


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


def test_moving_average_worked_by_hand():
    """It begins with the first update: w1, then 3/4 w1 + 1/4 w2."""
    weight = keras.Variable([1.0, 2.0])
    optimizer = paper_adam(0.1, use_ema=True, ema_momentum=0.75)
    reached = []
    for gradient in ([1.0, -1.0], [3.0, 2.0]):
        optimizer.apply([ops.convert_to_tensor(gradient)], [weight])
        reached.append(ops.convert_to_numpy(weight))
    first, second = reached
    optimizer.swap_moving_average()
    average = 0.75 * first + 0.25 * second
    np.testing.assert_allclose(ops.convert_to_numpy(weight), average, rtol=1e-6)
    optimizer.swap_moving_average()
    np.testing.assert_array_equal(ops.convert_to_numpy(weight), second)
    optimizer.finalize_variable_values([weight])  # as at the end of a `fit`
    np.testing.assert_allclose(ops.convert_to_numpy(weight), average, rtol=1e-6)


@pytest.mark.every_backend
def test_fit_goes_on_from_the_moving_average():
    """What learns and its average are arrays of their own after a `fit`."""
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.compile(paper_adam(0.1, use_ema=True, ema_momentum=0.75), "mse")
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    losses = []
    for _ in range(3):
        found = model.fit(x, x[:, :2], batch_size=5, epochs=2, verbose=0)
        losses += found.history["loss"]
    assert losses[-1] < losses[0]
    (average, _) = model.optimizer._model_variables_moving_average
    kernel = model.layers[1].kernel
    np.testing.assert_array_equal(
        ops.convert_to_numpy(kernel), ops.convert_to_numpy(average)
    )


def newest(run, kind):
    path = max((run / "checkpoints").glob(f"{kind}-*"))
    return load_arrays(path)[0]


@pytest.fixture(scope="module")
def moving(corpus, tmp_path_factory):
    run = tmp_path_factory.mktemp("moving") / "run"
    with pytest.MonkeyPatch.context() as patch:
        width = "keras_transformer.data.batches.bucket_edges"
        patch.setattr(width, lambda longest: (longest,))
        train(run, *corpus, model=MODEL, data=DATA, training=MOVING)
    return run


@pytest.mark.usefixtures("one_bucket")
def test_the_moving_average_is_validated_and_saved(moving):
    """The checkpoint holds the weights that learn, and beside them the average."""
    run = Run.open(moving)
    model = run.model()
    saved = model.get_weights()
    checkpoint = newest(moving, "batch")
    averages = {array.tobytes() for array in checkpoint["optimizer"]}
    learning = {array.tobytes() for array in checkpoint["model"]}
    for array in saved:
        assert array.tobytes() in averages - learning
    compile_for_training(model, loss_reduction="sum")
    _, held_out = open_batches(run, MOVING)
    found = model.evaluate(held_out, return_dict=True, verbose=0)["nats"]
    assert found == pytest.approx(log(moving)[-1]["val_nats"], rel=1e-5)
