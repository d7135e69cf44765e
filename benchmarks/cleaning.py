"""How fast pairs are cleaned, and in how much memory.

    python -m benchmarks.cleaning --pairs po.tar.xz --from en --to es --times 1 10

The pairs are read once, and then cleaned so many times over; each time they get a
number of their own, so that they are no duplicates of those before.
"""

import argparse
import itertools
import resource
import time

from keras_transformer.config import CleaningConfig
from keras_transformer.data.cleaning import CleaningReport
from keras_transformer.data.filters import cleaned
from keras_transformer.data.pairs import read_pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", nargs="+", required=True)
    parser.add_argument("--from", dest="source_language")
    parser.add_argument("--to", dest="target_language")
    parser.add_argument("--times", nargs="+", type=int, default=[1, 10])
    options = parser.parse_args()
    languages = (options.source_language, options.target_language)
    begun = time.perf_counter()
    pairs = list(read_pairs(options.pairs, None, None, *languages))
    said(f"{len(pairs):,} pairs are read", len(pairs), begun)
    config = CleaningConfig(drop_near_duplicates=True)
    for times in options.times:
        begun = time.perf_counter()
        report = CleaningReport()
        kept = sum(1 for _ in cleaned(repeated(pairs, times), config, report))
        said(f"{kept:,} of {report.read:,} are kept", report.read, begun)


def repeated(pairs, times):
    """The pairs so many times, with a word at the end that says which time."""
    words = ["".join(letters) for letters in itertools.product("abcdefghij", repeat=3)]
    for word in words[:times]:
        for source, target in pairs:
            yield f"{source} {word}", f"{target} {word}"


def said(what, count, begun):
    """Print a rate, and the peak of the memory so far."""
    minutes = (time.perf_counter() - begun) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{what}: {count / minutes:,.0f} a minute, {peak:,.0f} MB at most")


if __name__ == "__main__":
    main()
