import keras
import numpy as np

from keras_transformer.training.averaging import average_weights
from keras_transformer.training.checkpoints import KeepBest, LastWeights


def model_of(value):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[value]], "float32")])
    return model


def saved(run):
    return float(keras.models.load_model(run / "model.keras").get_weights()[0].item())


def test_the_best_epoch_is_kept(tmp_path):
    for higher, values, expected in ((False, [3.0, 1.0, 2.0, 1.0], 1), (True, [3.0, 1.0, 4.0, 4.0], 2)):
        keep = KeepBest(tmp_path, "val", higher_is_better=higher)
        for epoch, value in enumerate(values):
            keep.set_model(model_of(epoch))
            keep.on_epoch_end(epoch, {"val": value})
        assert saved(tmp_path) == expected and keep.best == values[expected]
        assert not keep.offer(keep.best) and not keep.offer(float("nan"))
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_the_last_weights_are_kept(tmp_path):
    last = LastWeights(tmp_path, count=2)
    last.on_train_begin()
    for epoch in range(4):
        last.set_model(model_of(epoch))
        last.on_epoch_end(epoch)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["epoch-0003.npz", "epoch-0004.npz"]
    assert [weights[0].item() for weights in last.read()] == [2.0, 3.0]
    assert average_weights(last.read())[0].item() == 2.5
