"""The time and memory of an import: `python -m benchmarks.importing CHECKPOINT`.

Memory is the most that the process ever held, less what it held after a tiny model was
made, run and saved: that much is the backend's own (Keras imports TensorFlow when it
saves, if it is installed, under every backend).
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")


def megabytes():
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measure(source, run):
    """One line about an import in this process."""
    import keras
    import numpy as np

    from keras_transformer import Transformer, preset, pretrained

    with tempfile.TemporaryDirectory() as folder:
        sizes = dict(
            source_vocab_size=9, target_vocab_size=9, d_model=8, d_ff=8, num_heads=1
        )
        tiny = Transformer(preset("tiny", **sizes))
        ids = np.ones((1, 3), "int32")
        tiny({"source_ids": ids, "target_ids": ids})
        tiny.save(Path(folder) / "tiny.keras")
    own = megabytes()
    begin = time.perf_counter()
    model = pretrained.load(source, run)
    seconds = time.perf_counter() - begin
    above = megabytes() - own
    weights = 4 * model.count_params() / 2**20
    print(
        f"{keras.backend.backend()}: {seconds:.1f} s, {above:.0f} MiB above its own "
        f"{own:.0f} MiB: {above / weights:.2f} times the {weights:.0f} MiB of the "
        "float32 weights",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "source",
        metavar="CHECKPOINT",
        help="folder of a checkpoint, or its name on the hub",
    )
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--run", help=argparse.SUPPRESS)  # in the child process
    options = parser.parse_args()
    if options.run:
        return measure(options.source, options.run)
    for backend in options.backends:
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable,
                "-m",
                "benchmarks.importing",
                options.source,
                "--run",
                f"{folder}/run",
            ]
            environment = {
                **os.environ,
                "KERAS_BACKEND": backend,
                "TF_CPP_MIN_LOG_LEVEL": "3",
            }
            subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    main()
