"""What dropout's random numbers take of a training step, on each backend.

    python -m benchmarks.dropout --presets tiny base --dtypes float32 mixed_bfloat16

The steps are those of `benchmarks.training`. Beside each stands one that compares each
element with itself instead of a random number, in a process of its own; they take
turns. Prints a table of the share, from the fastest turn of each: the difference is
smaller than what others on the machine take.
"""

import argparse
import time

from benchmarks.paired import Contender, heading, serve, take_turns
from benchmarks.training import STEPS, model_and_batch, our_step
from keras_transformer.config import PRESETS, TrainingConfig
from keras_transformer.layers import dropout

BACKENDS = ("jax", "tensorflow", "torch")
WITHOUT = " without"


def kept_always(x, kept, seed_generator):
    """In place of `dropout.kept_by_chance`."""
    return x == x


def contend(name, size, dtype):
    if name.endswith(WITHOUT):
        dropout.kept_by_chance = kept_always
    config, ids = model_and_batch(size)
    step = our_step(config, TrainingConfig(dtype=dtype), *ids)

    def work():
        step()  # as in `training`
        begin = time.perf_counter()
        for _ in range(STEPS.get(size, 2)):
            step()
        return {"seconds": time.perf_counter() - begin}

    serve(work)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--presets", nargs="+", default=["tiny"], choices=PRESETS)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        return contend(options.contender, options.presets[0], options.dtypes[0])

    print(heading(options.backends))
    print(f"| preset | dtype | {' | '.join(options.backends)} |")
    print("|---|---|" + "---|" * len(options.backends))
    for size in options.presets:
        for dtype in options.dtypes:
            arguments = ["--presets", size, "--dtypes", dtype]
            contenders = [
                Contender(backend + suffix, "dropout", arguments, backend)
                for backend in options.backends
                for suffix in ("", WITHOUT)
            ]
            answers = take_turns(contenders, options.rounds)
            cells = []
            for backend in options.backends:
                whole, rest = (
                    min(answer["seconds"] for answer in answers[name][1:])
                    for name in (backend, backend + WITHOUT)
                )
                cells.append(f"{1 - rest / whole:.1%}")
            print(f"| {size} | {dtype} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
