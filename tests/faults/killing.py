"""Training in processes that can be killed, and the comparison of what they leave."""

import contextlib
import io
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np

from keras_transformer.cli.main import main
from keras_transformer.runs.sealed_files import load_arrays

ROOT = Path(__file__).parent.parent.parent
FLAGS = (
    "--encoder-layers 1 --decoder-layers 1 --d-model 16 --d-ff 16 --num-heads 2 "
    "--vocab-size 24 --batch-tokens 160 --warmup-updates 50 --dropout 0.3 --epochs 3 "
    "--average-last 2 --checkpoint-minutes 0"
).split()
REGULARISED = (
    "--ema-momentum 0.9 --bpe-dropout 0.2 --r-drop 5 --word-dropout 0.1".split()
)
VARIANTS = {
    "plain": [],
    "accumulation": ["--gradient-accumulation", "2", "--clip-norm", "1"],
    "bfloat16": ["--dtype", "mixed_bfloat16", "--weight-decay", "0.001"],
    "both": ["--dtype", "mixed_bfloat16", "--gradient-accumulation", "3"],
    "bleu": ["--monitor", "bleu"],
    "limit": ["--max-updates", "25"],  # within the last epoch
    "fine-tuning": ["--init-from", "{begin}"],
    "regularised": REGULARISED,
    "lora": ["--init-from", "{begin}", "--lora-rank", "2"],
}


def write_digits(folder, count=120):
    """Sentences of digits and their reverse, of two lengths: two shapes of batches."""
    draw = random.Random(0)
    for split, size in (("train", count), ("valid", 12)):
        lines = [
            " ".join(draw.choices("0123456789", k=draw.choice((3, 7))))
            for _ in range(size)
        ]
        for side, texts in (("en", lines), ("de", [line[::-1] for line in lines])):
            (folder / f"{split}.{side}").write_text(
                "".join(text + "\n" for text in texts)
            )
    return folder


def command(folder, run, *flags):
    names = {
        "source": "train.en",
        "target": "train.de",
        "valid-source": "valid.en",
        "valid-target": "valid.de",
    }
    files = [f"--{name}={folder / file}" for name, file in names.items()]
    return ["train", str(run), *files, *FLAGS, *flags]


def start(arguments, program=("-m", "keras_transformer"), backend=None):
    """The command in a process of its own, under this process's backend or another."""
    backend = backend or keras.backend.backend()
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KERAS_BACKEND": backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(arguments, backend=None):
    """Run to the end, under another backend in a process of its own; its output."""
    if backend is None:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = main(arguments)
        output = output.getvalue()
    else:
        process = start(arguments, backend=backend)
        output, _ = process.communicate(timeout=600)
        status = process.returncode
    assert status == 0, output
    return output


def kill_at_random(arguments, run, draw, longest, early):
    """Start a training and kill it; say whether it was alive then.

    The kill comes up to `longest` seconds after the first checkpoint is written.
    With the probability `early` the kill comes while the process starts or prepares the
    data.
    """
    newest = max_batch(run)
    process = start(arguments)
    deadline = time.monotonic() + 120
    if draw.random() < early:
        deadline = time.monotonic() + draw.uniform(0, 10)
    while (
        process.poll() is None
        and time.monotonic() < deadline
        and max_batch(run) <= newest
    ):
        time.sleep(0.005)
    time.sleep(draw.uniform(0, longest))
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return alive


def max_batch(run):
    return max(
        (path.name for path in (run / "checkpoints").glob("batch-*")), default=""
    )


def kill_until_done(arguments, run, draw, kills, longest=0.5, early=0.25):
    """Kill a run so many times, or until it is done; then let it end.

    It returns the number of kills that met the run alive.
    """
    met = 0
    while met < kills and kill_at_random(
        [*arguments, "--resume"], run, draw, longest, early
    ):
        met += 1
    if not early:
        assert max_batch(run), "killed before the first checkpoint"
    finish([*arguments, "--resume"])
    return met


def assert_same_run(one, other):
    """Compare all arrays of two finished runs bit for bit, and their logs.

    Only the seconds in the logs may differ.
    """
    logs = [
        [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        for run in (one, other)
    ]
    for line in itertools.chain(*logs):
        line.pop("seconds")
    assert logs[0] == logs[1]
    progress = [
        load_arrays(sorted((run / "checkpoints").glob("batch-*"))[-1])[1]["progress"]
        for run in (one, other)
    ]
    for found in progress:
        for timed in (found, *found["rows"]):
            timed.pop("seconds")
    assert progress[0] == progress[1]
    for pattern in ("batch-*", "epoch-*"):
        found = [
            sorted((run / "checkpoints").glob(pattern))[-2:] for run in (one, other)
        ]
        assert len(found[0]) == len(found[1]) == 2
        for ours, theirs in zip(*found, strict=True):
            assert ours.name.split(".")[0] == theirs.name.split(".")[0]
            assert_equal(*(by_name(load_arrays(path)[0]) for path in (ours, theirs)))
    assert_equal(*(stored_weights(run) for run in (one, other)))


def stored_weights(run):
    """Every array in a run's `model.keras`."""
    found = {}
    with (
        zipfile.ZipFile(run / "model.keras") as archive,
        archive.open("model.weights.h5") as stream,
    ):
        with h5py.File(stream) as file:
            file.visititems(
                lambda name, item: (
                    found.update({name: np.array(item)})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
    return found


def by_name(groups):
    return {
        f"{group}/{n}": array
        for group, arrays in groups.items()
        for n, array in enumerate(arrays)
    }


def assert_equal(one, other):
    assert one.keys() == other.keys() and one
    different = [
        name
        for name in one
        if not np.array_equal(one[name], other[name], equal_nan=True)
    ]
    assert not different
