"""Fine-tuning by LoRA: `train` with `init_from` and `lora_rank`."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import ops
from layer_checks import ON_TORCH, marked, numpy
from small import DATA, log, training

from keras_transformer.runs.run import Run
from keras_transformer.runs.sealed_files import load_arrays
from keras_transformer.training.train import train

RANK = 3
# Of the encoder's block 4 kernels (16, 16) of attention and 2 of feed-forward, of the
# decoder's 8 and 2: each has A (16, rank) and B (rank, 16).
TRAINED = (6 + 10) * 2 * 16 * RANK
RECIPE = training(lora_rank=RANK, epochs=2, max_updates=None, average_last=1)
KERNELS = ("query", "key", "value", "output", "expand", "contract")

pytestmark = pytest.mark.usefixtures("one_bucket")


@pytest.fixture(scope="module")
def tuned(corpus, trained, tmp_path_factory):
    run = tmp_path_factory.mktemp("lora") / "run"
    with pytest.MonkeyPatch.context() as patch:
        width = "keras_transformer.data.batches.bucket_edges"
        patch.setattr(width, lambda longest: (longest,))
        train(run, *corpus, init_from=trained, training=RECIPE)
    return run


def newest(run, kind):
    """The arrays in the newest file of a kind, those of the model by shape."""
    path = max((run / "checkpoints").glob(f"{kind}-*"))
    return load_arrays(path)[0]


def weights(model):
    return {one.path: keras.ops.convert_to_numpy(one) for one in model.weights}


def is_adapted(path):
    part, name = path.split("/")[-2:]
    return part in KERNELS and name == "kernel"


@marked(ON_TORCH)
def test_a_run_records_its_rank(tuned):
    assert json.loads((tuned / "config.json").read_text())["training"]["lora_rank"] == 3
    assert Run.open(tuned).config.training == RECIPE
    assert len(log(tuned)) == 2


@marked(ON_TORCH)
def test_only_small_matrices_have_been_trained(tuned, trained):
    before = weights(Run.open(trained).model())
    after = weights(keras.models.load_model(tuned / "model.keras"))
    assert before.keys() == after.keys()
    assert sum(map(is_adapted, before)) == 16
    for path, array in before.items():
        changed = not np.array_equal(array, after[path])
        assert changed == is_adapted(path), path
    for path, array in weights(Run.open(tuned).model()).items():
        np.testing.assert_array_equal(array, after[path])


@marked(ON_TORCH)
def test_the_optimizer_holds_nothing_of_frozen_weights(tuned):
    """Of Adam's two moments, beside its counter, learning rate and norm."""
    arrays = newest(tuned, "batch")
    moments = [array for array in arrays["optimizer"] if array.ndim == 2]
    assert sum(array.size for array in moments) == 2 * TRAINED
    assert sum(array.ndim == 0 for array in arrays["optimizer"]) <= 3
    factors = [array for array in arrays["model"] if RANK in array.shape]
    assert sum(array.size for array in factors) == TRAINED


@marked(ON_TORCH)
def test_a_resumed_run_is_the_same_bit_for_bit(tuned, corpus, trained, tmp_path):
    run = tmp_path / "run"
    for updates in (1, 3, None):
        limited = dataclasses.replace(RECIPE, max_updates=updates)
        train(run, *corpus, init_from=trained, training=limited, resume=True)
    for kind in ("batch", "epoch"):
        one = newest(tuned, kind)
        other = newest(run, kind)
        assert one.keys() == other.keys()
        for name, arrays in one.items():
            for array, same in zip(arrays, other[name], strict=True):
                np.testing.assert_array_equal(array, same)
    resumed = weights(Run.open(run).model())
    for path, array in weights(Run.open(tuned).model()).items():
        np.testing.assert_array_equal(array, resumed[path])
    other = dataclasses.replace(RECIPE, lora_rank=4)
    with pytest.raises(ValueError, match="lora_rank must be 3 as when the run was"):
        train(run, training=other, resume=True)


@marked(ON_TORCH)
def test_fine_tuning_goes_on_from_the_merged_weights(tuned, corpus, tmp_path, capsys):
    still = training(epochs=1, max_updates=None, learning_rate_scale=1e-9)
    total = Run.open(tuned).config.model.parameters
    for rank, count in ((None, total), (1, TRAINED // RANK)):
        recipe = dataclasses.replace(still, lora_rank=rank)
        run = tmp_path / str(rank)
        train(run, *corpus, init_from=tuned, training=recipe)
        said = f"\n{count:,} of {total:,} parameters are trained\n"
        assert said in capsys.readouterr().out
        best = min(row["val_nats"] for row in log(tuned))
        assert log(run)[0]["val_nats"] == pytest.approx(best, rel=1e-4)


@pytest.mark.slow
def test_other_options_go_with_it(corpus, trained, tmp_path):
    """Half precision computes; what is saved is merged in float32."""
    options = dict(dtype="mixed_bfloat16", gradient_accumulation=2, monitor="bleu")
    recipe = dataclasses.replace(RECIPE, average_last=2, clip_norm=1.0, **options)
    run = tmp_path / "run"
    train(run, *corpus, init_from=trained, training=recipe)
    assert "val_bleu" in log(run)[0]
    before = weights(Run.open(trained).model())
    after = weights(Run.open(run).model())
    for path, array in before.items():
        found = after[path]
        changed = not np.array_equal(array, found)
        assert changed == is_adapted(path), path
        if changed:
            assert not np.array_equal(found, numpy(ops.cast(found, "bfloat16"))), path


@marked(ON_TORCH)
def test_what_cannot_be_is_refused(corpus, trained, tmp_path):
    run = tmp_path / "run"
    message = "lora_rank must be absent without init_from; received 3"
    with pytest.raises(ValueError, match=message):
        train(run, *corpus, data=DATA, training=RECIPE)
    large = dataclasses.replace(RECIPE, lora_rank=17)
    message = "lora_rank must be between 1 and d_model=16; received 17"
    with pytest.raises(ValueError, match=message):
        train(run, *corpus, init_from=trained, training=large)
    with pytest.raises(ValueError, match="lora_rank must be at least 1; received 0"):
        dataclasses.replace(RECIPE, lora_rank=0)
    assert not list(tmp_path.iterdir())
