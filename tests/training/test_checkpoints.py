import keras
import numpy as np
import pytest
from small import session

from keras_transformer.runs.sealed_files import load_arrays
from keras_transformer.training.checkpoints import Checkpoints, EpochWeights, KeepBest
from keras_transformer.training.progress import Progress
from keras_transformer.training.train import save_mean


def model_of(value):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile("sgd", "mse")
    model.set_weights([np.array([[value]], "float32")])
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_last_and_the_best_weights_are_kept(tmp_path):
    shared = session(tmp_path, average_last=2, keep_best=2)
    weights = EpochWeights(shared)
    for epoch, score in enumerate([1.0, 3.0, 2.0, 4.0, 5.0]):
        shared.progress.scores.append(score)
        weights.set_model(model_of(epoch))
        weights.on_epoch_end(epoch)
    kept = sorted((tmp_path / "checkpoints").iterdir())
    numbers = [path.name[:10] for path in kept]
    assert numbers == ["epoch-0001", "epoch-0003", "epoch-0004", "epoch-0005"]
    found = [load_arrays(path)[0]["model"][0].item() for path in weights.paths(2)]
    assert found == [3.0, 4.0]
    kept[-1].write_bytes(b"")
    with pytest.warns(
        UserWarning, match="left out of the mean: epoch-0005.* is damaged"
    ):
        assert weights.paths(2) == kept[-2:-1]
    kept[-1].unlink()
    with pytest.warns(UserWarning, match="mean: epoch-0005.* is missing"):
        assert weights.paths(2) == kept[-2:-1]


def make(run, **options):
    shared = session(run, **options)
    shared.batches = [None] * 4
    return Checkpoints(shared)


def test_checkpoints_that_were_deleted(tmp_path):
    """A kill leaves one line without a checkpoint at most."""
    make(tmp_path).restore(model_of(1.0))
    rows = ['{"epoch": 1}\n', '{"epoch": 2}\n']
    (tmp_path / "log.jsonl").write_text(rows[0])
    with pytest.warns(UserWarning, match="the first epoch is trained again"):
        make(tmp_path).restore(model_of(1.0))
    (tmp_path / "log.jsonl").write_text("".join(rows))
    missing = (
        "'.*checkpoints' must hold the checkpoints of 2 epochs; --overwrite begins"
    )
    with pytest.raises(ValueError, match=missing):
        make(tmp_path).restore(model_of(1.0))


def positions(checkpoints):
    return [int(path.name[6:14]) for path in checkpoints.paths()]


def test_the_newest_checkpoint_comes_back(tmp_path):
    checkpoints = make(tmp_path)
    expected = dict(epoch=2, scores=[2.0, 1.5])
    for value in range(4):
        checkpoints.set_model(model_of(value))
        checkpoints.model.optimizer.iterations.assign(value)
        progress = Progress(**expected, batches=value, best=1.5)
        checkpoints.session.progress = progress
        checkpoints.save()
    assert positions(checkpoints) == [2, 3]

    model = model_of(9.0)
    again = make(tmp_path)
    for _ in range(2):  # once more changes nothing
        again.restore(model)
        assert model.get_weights()[0].item() == int(model.optimizer.iterations) == 3
        assert again.session.progress == Progress(**expected, batches=3, best=1.5)

    path = checkpoints.paths()[-1]
    path.write_bytes(path.read_bytes()[:-1])
    again = make(tmp_path)
    with pytest.warns(
        UserWarning, match=f"skipped a checkpoint: {path.name} cannot be used"
    ):
        again.restore(model)
    assert model.get_weights()[0].item() == int(model.optimizer.iterations) == 2
    assert again.session.progress == Progress(**expected, batches=2, best=1.5)

    # As after the mean of the last epochs was found better.
    again.session.progress.best = 0.5
    noted = make(tmp_path)
    with pytest.warns(UserWarning, match="skipped a checkpoint"):
        again.note_best()
        noted.restore(model)
    assert noted.session.progress == Progress(**expected, batches=2, best=0.5)
    again.set_model(model)
    again.save()  # the damaged one is newer and goes
    assert positions(checkpoints) == [2]


def test_a_checkpoint_of_another_model_or_run_is_refused(tmp_path):
    checkpoints = make(tmp_path)
    checkpoints.set_model(model_of(1.0))
    checkpoints.save()
    other = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    other.compile("sgd", "mse")
    with pytest.raises(
        ValueError,
        match="batch-0.* must hold 4 arrays of the model's shapes; "
        "received '.* others'",
    ):
        make(tmp_path).restore(other)
    (tmp_path / "manifest.json").write_text('{"another": {}}')
    with pytest.raises(ValueError, match="run '.*' is another one by now"):
        checkpoints.save()
    with (
        pytest.warns(UserWarning, match="batch-0.* is that of another run"),
        pytest.raises(ValueError, match="none of the checkpoints in .* can be used"),
    ):
        make(tmp_path).restore(model_of(1.0))


@pytest.mark.parametrize(
    "options, expected",
    [
        (dict(checkpoint_minutes=1000.0), [4]),
        (dict(checkpoint_minutes=0.0), [1, 2, 3, 4]),
        (dict(checkpoint_minutes=1000.0, max_updates=4), [4]),
        (dict(checkpoint_minutes=1000.0, max_updates=3), [3]),
        (dict(checkpoint_minutes=0.0, max_updates=3), [1, 2, 3]),
    ],
)
def test_when_checkpoints_are_written(tmp_path, options, expected):
    checkpoints = make(tmp_path, keep_last=9, **options)
    checkpoints.set_model(model_of(1.0))
    progress = checkpoints.session.progress
    last = expected[-1]
    for batch in range(last):
        progress.batches = batch + 1
        progress.batch = progress.batches
        checkpoints.on_train_batch_end(batch)
    # The last one holds the score of its epoch.
    assert positions(checkpoints) == expected[:-1]
    progress.scores = [2.0]
    checkpoints.on_epoch_end(0)
    assert positions(checkpoints) == expected
    assert (progress.epoch, progress.batch) == ((1, 0) if last == 4 else (0, 3))
    again = make(tmp_path, **options)
    again.restore(model_of(9.0))
    assert again.session.progress == progress


@pytest.mark.parametrize(
    "average_last, epochs, mean", [(1, 2, 1), (5, 7, 6), (5, 8, 6.5)]
)
def test_without_validation_the_mean_is_of_the_last_epochs(
    tmp_path, average_last, epochs, mean
):
    shared = session(tmp_path, average_last=average_last)
    for epoch in range(epochs):
        score = float(epoch)
        shared.progress.scores.append(score)
        for callback in (KeepBest(shared), EpochWeights(shared)):
            callback.set_model(model_of(epoch))
            callback.on_epoch_end(epoch, {"nats": score})
    model = model_of(9.0)
    save_mean(model, shared, None)
    saved = keras.models.load_model(tmp_path / "model.keras")
    assert saved.get_weights()[0].item() == model.get_weights()[0].item() == mean
