"""Bits flipped and files cut short.

Such damage does no harm or raises one clear error; it never gives another model.
"""

import dataclasses
import json
import random
import shutil
import warnings

import numpy as np
import pytest
from layer_checks import ON_TORCH, marked

from keras_transformer.config import TrainingConfig
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run
from keras_transformer.runs.sealed_files import load_arrays
from keras_transformer.training.checkpoints import Checkpoints, EpochWeights, RunLog
from keras_transformer.training.progress import Progress, Session
from keras_transformer.training.recipe import compile_for_training
from keras_transformer.training.train import train


def what_it_holds(run):
    """All that the package reads of a run.

    This is the model's arrays, the tokenizers' answers, the settings and the pairs.
    """
    opened = Run.open(run)
    opened.manifest.verify("data")
    weights = [weight.tobytes() for weight in opened.model().get_weights()]
    text = ["Two young girls are sitting."]
    ids = [tokenizer.encode(text) for tokenizer in opened.tokenizers]
    return opened.config, weights, ids


def newest_checkpoint(run, model, expected):
    """Restore, and return the position that was found.

    The arrays must be those of the whole checkpoint of that position.
    """
    session = Session(Run.open(run), None)
    Checkpoints(session).restore(model)
    whole = expected[session.progress.batches]
    variables = [*model.variables, *model.optimizer.variables]
    arrays = [*whole["model"], *whole["optimizer"]]
    for variable, array in zip(variables, arrays, strict=True):
        np.testing.assert_array_equal(np.array(variable.numpy()), array)
    return session.progress.batches


def session_of(run):
    scores = [1.0, 1.0, 1.0]
    training = TrainingConfig(average_last=3)
    session = Session(Run.open(run), training)
    session.progress = Progress(epoch=9, scores=scores)
    return session


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


@marked(ON_TORCH)
@pytest.mark.parametrize("count", [40, pytest.param(400, marks=pytest.mark.slow)])
def test_damaged_files(trained, tmp_path, count):
    run = trained
    draw = random.Random(count)
    expected = what_it_holds(run)
    checkpoints = sorted((run / "checkpoints").glob("batch-*"))
    states = {int(path.name[6:14]): load_arrays(path)[0] for path in checkpoints}
    model = Transformer(expected[0].model)
    compile_for_training(model, expected[0].training)
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
                    weights = EpochWeights(session_of(copy))
                    assert name.name not in [path.name for path in weights.paths(3)], (
                        what
                    )
                    said = f"{name.name[:10]}.*.safetensors is damaged"
                    assert said in str(noted[0].message), what
                    refused += 1
                elif name.name == "log.jsonl":
                    log = RunLog(session_of(copy))
                    log.rewind()
                    lines = (copy / "log.jsonl").read_text().splitlines()
                    assert all(json.loads(line)["epoch"] for line in lines), what
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


@marked(ON_TORCH)
@pytest.mark.parametrize("damaged", ["a digit", "an epoch", "a line", "all"])
def test_the_log_is_mended(trained, tmp_path, damaged):
    """Of what is done, the checkpoint knows what the log said."""
    run = shutil.copytree(trained, tmp_path / "run")
    path = run / "log.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    place = whole.index(b"nats") + 7
    digit = b"1" if whole[place : place + 1] != b"1" else b"2"
    content = {
        "a digit": whole[:place] + digit + whole[place + 1 :],
        "an epoch": whole.replace(b'"epoch": 2', b'"epoch": 3'),
        "a line": lines[1],
        "all": b"",
    }
    path.write_bytes(content[damaged])
    with pytest.warns(UserWarning, match="log.jsonl is damaged: its 2 epochs are writ"):
        train(run, resume=True)
    assert path.read_bytes() == whole


@marked(ON_TORCH)
def test_no_checkpoint_is_whole(trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    paths = sorted(run.glob("checkpoints/batch-*"))
    for path in paths:
        path.write_bytes(b"")
    recipe = Run.open(run).config.training
    with pytest.warns(
        UserWarning, match=f"skipped a checkpoint: {paths[-1].name[:14]}"
    ):
        with pytest.raises(
            ValueError,
            match="none of the checkpoints in .* can be used; --overwrite begins anew",
        ):
            train(run, resume=True, training=dataclasses.replace(recipe, epochs=9))
