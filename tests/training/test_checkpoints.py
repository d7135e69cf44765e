import os
import signal
import threading

import keras
import numpy as np
import pytest

from keras_transformer.runs.sealed_files import load_arrays
from keras_transformer.training.callbacks import Limits
from keras_transformer.training.checkpoints import (
    Checkpoints,
    EpochWeights,
    KeepBest,
    signals_noted,
)
from keras_transformer.training.progress import Progress


def model_of(value):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    model.set_weights([np.array([[value]], "float32")])
    return model


def saved(run):
    return float(keras.models.load_model(run / "model.keras").get_weights()[0].item())


def test_the_best_epoch_is_kept(tmp_path):
    for higher, values, expected in (
        (False, [3.0, 1.0, 2.0, 1.0], 1),
        (True, [3.0, 1.0, 4.0, 4.0], 2),
    ):
        keep = KeepBest(tmp_path, Progress(), "val", higher_is_better=higher)
        for epoch, value in enumerate(values):
            keep.set_model(model_of(epoch))
            keep.on_epoch_end(epoch, {"val": value})
        assert saved(tmp_path) == expected and keep.progress.best == values[expected]
        assert keep.progress.scores == dict(enumerate(values))
        assert not keep.save_if_better(keep.progress.best) and not keep.save_if_better(
            float("nan")
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize(
    "patience, stops", [(None, [0, 0, 0, 0]), (2, [0, 0, 0, 1]), (1, [0, 0, 1, 1])]
)
def test_patience(tmp_path, patience, stops):
    keep = KeepBest(tmp_path, Progress(), "val", patience=patience)
    found = []
    for epoch, value in enumerate([3.0, 1.0, 2.0, 1.0]):
        keep.set_model(model_of(epoch))
        keep.model.stop_training = False
        keep.on_epoch_end(epoch, {"val": value})
        found.append(keep.model.stop_training)
    assert found == stops


def test_the_last_and_the_best_weights_are_kept(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    progress = Progress()
    weights = EpochWeights(tmp_path, progress, last=2, best=2)
    for epoch, score in enumerate([1.0, 3.0, 2.0, 4.0, 5.0]):
        progress.scores[epoch] = score
        weights.set_model(model_of(epoch))
        weights.on_epoch_end(epoch)
    kept = sorted((tmp_path / "checkpoints").iterdir())
    assert [path.name[:10] for path in kept] == [
        "epoch-0001",
        "epoch-0003",
        "epoch-0004",
        "epoch-0005",
    ]
    assert [load_arrays(path)[0]["00000"].item() for path in weights.paths()] == [
        3.0,
        4.0,
    ]
    kept[-1].write_bytes(b"")
    with pytest.warns(
        UserWarning, match="left out of the mean: epoch-0005.* is damaged"
    ):
        assert weights.paths() == kept[-2:-1]


def make(run, progress, keep=2, minutes=1000.0, signals=(), limits=None):
    (run / "checkpoints").mkdir(exist_ok=True)
    limits = limits or Limits(progress)
    return Checkpoints(run, progress, [None] * 4, minutes, keep, limits, signals)


def test_the_newest_checkpoint_comes_back(tmp_path):
    progress = Progress()
    checkpoints = make(tmp_path, progress)
    for value in range(4):
        checkpoints.set_model(model_of(value))
        checkpoints.model.optimizer.build(checkpoints.model.trainable_variables)
        checkpoints.model.optimizer.iterations.assign(value)
        progress.epoch, progress.batches, progress.scores, progress.best = (
            2,
            value,
            {0: 2.0, 1: 1.5},
            1.5,
        )
        checkpoints.save()
    assert [path.name[:14] for path in checkpoints.paths()] == [
        "batch-00000002",
        "batch-00000003",
    ]
    for damaged, expected in ((0, 3), (1, 2)):
        found, model = Progress(), model_of(9.0)
        again = make(tmp_path, found)
        if damaged:
            path = checkpoints.paths()[-1]
            path.write_bytes(path.read_bytes()[:-1])
            with pytest.warns(
                UserWarning, match=f"skipped a checkpoint: {path.name} cannot be used"
            ):
                again.restore(model)
        else:
            again.restore(model)
        assert (
            model.get_weights()[0].item() == int(model.optimizer.iterations) == expected
        )
        if not damaged:
            again.restore(model)  # once more changes nothing
        assert found == Progress(
            epoch=2, batches=expected, scores={0: 2.0, 1: 1.5}, best=1.5
        )
    # As after the mean of the last epochs was found better.
    found.best, found.batches = 0.5, 100
    noted = Progress()
    with pytest.warns(UserWarning, match="skipped a checkpoint"):
        again.note_best()
        make(tmp_path, noted).restore(model)
    assert noted == Progress(epoch=2, batches=2, scores={0: 2.0, 1: 1.5}, best=0.5)
    found.batches = 2
    again.set_model(model)
    again.save()  # the damaged one is newer and goes
    assert [path.name[:14] for path in checkpoints.paths()] == ["batch-00000002"]


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    checkpoints = make(tmp_path, Progress())
    checkpoints.set_model(model_of(1.0))
    checkpoints.model.optimizer.build(checkpoints.model.trainable_variables)
    checkpoints.save()
    other = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    other.compile("sgd", "mse")
    with pytest.raises(
        ValueError,
        match="batch-0.* must hold 2 arrays of the model's shapes; received 1 others",
    ):
        make(tmp_path, Progress()).restore(other)


def test_when_checkpoints_are_written(tmp_path):
    def written(**options):
        run = tmp_path / str(len(list(tmp_path.iterdir())))
        run.mkdir()
        progress = Progress()
        checkpoints = make(
            run,
            progress,
            keep=9,
            limits=Limits(progress, options.pop("max_updates", None)),
            **options,
        )
        checkpoints.set_model(model_of(1.0))
        checkpoints.model.optimizer.build(checkpoints.model.trainable_variables)
        for batch in range(4):
            progress.batch, progress.batches = batch + 1, batch + 1
            checkpoints.on_train_batch_end(batch)
        checkpoints.on_epoch_end(0)
        return [int(path.name[6:14]) for path in checkpoints.paths()], (
            progress.epoch,
            progress.batch,
        )

    assert written() == ([4], (1, 0))
    assert written(minutes=0.0) == ([1, 2, 3, 4], (1, 0))
    assert written(max_updates=3)[0] == [3, 4]


def test_a_signal_is_noted_and_a_second_one_obeyed(capsys, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    with signals_noted() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before
    assert (
        "SIGTERM: leaving after one more checkpoint; once more: leaving at once"
        in capsys.readouterr().err
    )
    left = []
    monkeypatch.setattr(os, "_exit", left.append)
    with signals_noted():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert left == [128 + signal.SIGTERM]
    found = []

    def in_a_thread():
        with signals_noted() as signals:
            found.append(signals)

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert found == [[]]
