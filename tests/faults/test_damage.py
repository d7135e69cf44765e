"""Bits flipped and files cut short: harmless, or one clear error, never another model in silence."""

import dataclasses
import json
import random
import shutil
import warnings

import numpy as np
import pytest
from small import DATA, MODEL, training, write_corpus

from keras_transformer.runs import run as runs
from keras_transformer.runs.sealed_files import load_arrays
from keras_transformer.training.callbacks import RunLog
from keras_transformer.training.checkpoints import Checkpoints, EpochWeights
from keras_transformer.training.progress import Progress
from keras_transformer.training.recipe import compile_for_training
from keras_transformer.training.train import train

RECIPE = training(max_updates=6, checkpoint_minutes=0.0, average_last=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("damage")
    files = write_corpus(folder / "corpus")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "keras_transformer.data.batches.bucket_edges", lambda longest: (longest,)
        )
        train(folder / "run", *files, model=MODEL, data=DATA, training=RECIPE)
    return folder / "run"


def what_it_holds(run):
    """All that the package reads of a run: the model's arrays, the tokenizers' answers, the settings, the pairs."""
    configs = [runs.read_config(run, kind) for kind in ("model", "data", "training")]
    weights = runs.load_model(run).get_weights()
    ids = [
        tokenizer.encode(["Two young girls are sitting."])
        for tokenizer in runs.load_tokenizers(run)
    ]
    runs.verify(run, "data")
    return configs, [weight.tobytes() for weight in weights], ids


def newest_checkpoint(run, model, expected):
    """Restore; the position that was found. Its arrays must be those of the whole checkpoint of that position."""
    progress = Progress()
    Checkpoints(run, progress, None, 10.0, 2, None, ()).restore(model)
    whole = expected[progress.batches]
    for group in ("model", "optimizer"):
        variables = {"model": model.variables, "optimizer": model.optimizer.variables}[
            group
        ]
        for n, variable in enumerate(variables):
            np.testing.assert_array_equal(
                np.array(variable.numpy()), whole[f"{group}/{n:05d}"]
            )
    return progress.batches


def damage(path, draw):
    """Flip one bit, or cut the file; what was done."""
    content = bytearray(path.read_bytes())
    place = draw.randrange(len(content))
    if draw.random() < 0.7:
        content[place] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        return f"bit flipped in byte {place} of {path.name}"
    path.write_bytes(content[:place])
    return f"{path.name} cut to {place} bytes"


@pytest.mark.parametrize("count", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_damaged_files(run, tmp_path, count):
    draw = random.Random(count)
    expected = what_it_holds(run)
    checkpoints = sorted((run / "checkpoints").glob("batch-*"))
    states = {int(path.name[6:14]): load_arrays(path)[0] for path in checkpoints}
    model = compile_for_training(
        runs.read_config(run, "model"), runs.read_config(run, "training")
    )
    names = sorted(path.relative_to(run) for path in run.rglob("*") if path.is_file())
    refused = 0
    for number in range(count):
        copy = tmp_path / str(number)
        shutil.copytree(run, copy)
        name = names[number % len(names)]
        what = damage(copy / name, draw)
        try:
            with warnings.catch_warnings(record=True) as noted:
                warnings.simplefilter("always")
                if name.name.startswith("epoch-"):
                    weights = EpochWeights(
                        copy, Progress(scores={0: 1.0, 1: 1.0, 2: 1.0}), last=3
                    )
                    assert name.name not in [path.name for path in weights.paths()], (
                        what
                    )
                    assert f"left out of the mean: {name.name} is damaged" in str(
                        noted[0].message
                    ), what
                    refused += 1
                elif name.name == "log.jsonl":
                    log = RunLog(copy, Progress(epoch=9))
                    log.rewind()
                    assert all(
                        json.loads(line)["epoch"]
                        for line in log.path.read_text().splitlines()
                    ), what
                elif name.parent.name == "checkpoints":
                    found = newest_checkpoint(copy, model, states)
                    if name.name == checkpoints[-1].name:
                        assert found == min(states), what
                        noted = [
                            warning
                            for warning in noted
                            if warning.category is UserWarning
                        ]
                        assert (
                            len(noted) == 1
                            and f"skipped a checkpoint: {name.name} cannot be used"
                            in str(noted[0])
                        )
                else:
                    assert what_it_holds(copy) == expected, what
        except ValueError as error:
            assert len(str(error).splitlines()) == 1 and str(copy) in str(error), (
                f"{what}: {error}"
            )
            refused += 1
        shutil.rmtree(copy)
    print(f"{count} damaged files: {refused} refused")
    assert refused > count / 4


def test_no_checkpoint_is_whole(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    for path in (tmp_path / "run" / "checkpoints").glob("batch-*"):
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="skipped a checkpoint: batch-00000006"):
        with pytest.raises(
            ValueError,
            match="none of the checkpoints in .* can be used; --overwrite begins anew",
        ):
            train(
                tmp_path / "run",
                resume=True,
                training=dataclasses.replace(RECIPE, max_updates=9),
            )
