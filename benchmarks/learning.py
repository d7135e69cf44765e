"""What each option that regularises adds, over several seeds; their ensemble.

    python -m benchmarks.learning --source train.en --target train.de \\
        --valid-source val.en --valid-target val.de \\
        --test-source test.en --test-target test.de --runs RUNS --minutes 45

Trains with each row of `ROWS`, or with those that `--flags` gives, once for each seed,
and prints a table: mean and spread of BLEU on the validation pairs and on the test, and
BLEU of all seeds together. What a row leaves open is fitted. A command that was
interrupted goes on where it was. Choose by the validation pairs alone.
"""

import argparse
import contextlib
import re
import shlex
import statistics
import sys
from pathlib import Path

from keras_transformer.cli.main import main as command
from keras_transformer.decoding.translator import Translator
from keras_transformer.evaluation.evaluate import evaluate

ROWS = (
    "",
    "--ema-momentum 0.999",
    "--bpe-dropout 0.1",
    "--word-dropout 0.1",
    "--r-drop 5",
    "--ema-momentum 0.999 --bpe-dropout 0.1 --r-drop 5",
)
FILES = ("source", "target", "valid_source", "valid_target")


def trained(options, flags, seed):
    """The run of a row and a seed, trained unless it is there."""
    name = re.sub(r"[^\w.]+", "-", f"{flags} seed {seed}").strip("-")
    run = str(Path(options.runs) / name)
    arguments = ["train", run, "--resume", "--seed", str(seed)]
    for file in FILES:
        arguments += [f"--{file.replace('_', '-')}", getattr(options, file)]
    arguments += ["--max-minutes", str(options.minutes), *shlex.split(flags)]
    with contextlib.redirect_stdout(sys.stderr):
        status = command(arguments)
    if status:
        raise SystemExit(status)
    return run


def cell(scores):
    """Mean and spread of some scores."""
    spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return f"{statistics.mean(scores):.2f} ± {spread:.2f}"


def row(options, flags):
    """A row of the table."""
    runs = [trained(options, flags, seed) for seed in options.seeds]
    tests = (
        (options.valid_source, options.valid_target),
        (options.test_source, options.test_target),
    )
    cells = [f"`{flags}`"]
    for files in tests:
        found = [evaluate(run, *files).scores.bleu for run in runs]
        together = evaluate(Translator.load(runs), *files).scores.bleu
        cells += [cell(found), f"{together:.2f}"]
    return f"| {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in (*FILES, "test_source", "test_target", "runs"):
        parser.add_argument(f"--{name.replace('_', '-')}", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--flags", nargs="+", default=ROWS, help="rows of your own")
    options = parser.parse_args()
    print("| flags | val BLEU | together | test BLEU | together |")
    print("|---|---|---|---|---|")
    for flags in options.flags:
        print(row(options, flags), flush=True)


if __name__ == "__main__":
    main()
