"""The grid behind the settings that `train` fits to a corpus: docs/settings.md.

    python -m benchmarks.recipes --source train.en --target train.de \\
        --valid-source val.en --valid-target val.de --pairs 3000 --minutes 8
    python -m benchmarks.recipes ... --pairs 3000 --flags "--preset tiny --dropout 0.4"

Trains on the first pairs of a corpus with each row of `GRID` for as many pairs, or with
the one that `--flags` gives, and prints a table: BLEU on the validation pairs, epochs,
minutes of training. What a row leaves open is fitted. An empty row is the rule itself.
"""

import argparse
import contextlib
import itertools
import shlex
import sys
import tempfile
import time
from pathlib import Path

from keras_transformer.cli.main import main as command
from keras_transformer.evaluation.evaluate import evaluate
from keras_transformer.runs.run import Run
from keras_transformer.text.lines import read_lines

GRID = {
    3000: (
        "--preset tiny --norm-first --dropout 0.3 --vocab-size 2000 "
        "--batch-tokens 1024 --warmup-updates 400 --learning-rate-scale 0.5",
        "--preset tiny --norm-first --dropout 0.4 --vocab-size 1000 "
        "--batch-tokens 1024 --warmup-updates 200 --learning-rate-scale 0.35",
    ),
    10_000: (
        "--preset tiny --norm-first --dropout 0.3 --vocab-size 2000 "
        "--batch-tokens 1024 --warmup-updates 400 --learning-rate-scale 0.5",
    ),
}


def first_lines(path, count, folder):
    """A file of the first lines of another."""
    taken = folder / Path(path).name.removesuffix(".gz")
    lines = itertools.islice(read_lines(path), count)
    taken.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(taken)


def measured(options, flags, folder):
    """A row of the table: train, translate the validation pairs, score them."""
    run = str(folder / "run")
    paths = (options.source, options.target)
    source, target = (first_lines(path, options.pairs, folder) for path in paths)
    valid = (options.valid_source, options.valid_target)
    files = ["--source", source, "--target", target]
    files += ["--valid-source", valid[0], "--valid-target", valid[1]]
    limit = ["--max-minutes", str(options.minutes), "--overwrite"]
    begin = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        status = command(["train", run, *files, *limit, *shlex.split(flags)])
    if status:
        raise SystemExit(status)
    minutes = (time.perf_counter() - begin) / 60
    epochs = len(Run.open(run).log)
    bleu = evaluate(run, *valid).scores.bleu
    cells = (
        f"{options.pairs:,}",
        f"`{flags}`",
        f"{bleu:.2f}",
        epochs,
        f"{minutes:.1f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("--source", "--target", "--valid-source", "--valid-target"):
        parser.add_argument(name, required=True)
    parser.add_argument("--pairs", type=int, default=3000)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--flags", help="one row of your own; '' for the rule's")
    options = parser.parse_args()
    rows = GRID.get(options.pairs, ("",))
    if options.flags is not None:
        rows = (options.flags,)
    print("| pairs | settings | val BLEU | epochs | minutes |\n|---|---|---|---|---|")
    for flags in rows:
        with tempfile.TemporaryDirectory() as folder:
            print(measured(options, flags, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
