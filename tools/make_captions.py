"""Write the bundled corpus: python tools/make_captions.py [FOLDER] [--seed 1]"""

import argparse
import gzip
import random
from collections import Counter
from pathlib import Path

from captions.grammar import Grammar

SIZES = {"test": 500, "valid": 500, "train": 12000}
FOLDER = Path(__file__).parents[1] / "keras_transformer" / "data" / "captions"


def words(pair):
    """The words of both sides, marked by language."""
    return {
        (side, word.strip(".,").lower())
        for side, line in enumerate(pair)
        for word in line.split()
    }


def draw(seed):
    """All pairs, no source and no target twice, as {split: [(English, German), ...]}.

    Held-out pairs are new combinations of words that are known: each form occurs in ten
    pairs or more.
    """
    grammar = Grammar(random.Random(seed))
    sources, targets, pairs = set(), set(), []
    while len(pairs) < sum(SIZES.values()):
        source, target = grammar.sentence()
        if not 4 <= len(source.split()) <= 18 or source in sources or target in targets:
            continue
        sources.add(source)
        targets.add(target)
        pairs.append((source, target))
    counts = Counter(word for pair in pairs for word in words(pair))
    known = [pair for pair in pairs if min(counts[word] for word in words(pair)) >= 10]
    held_out = SIZES["test"] + SIZES["valid"]
    apart = set(known[:held_out])
    train = [pair for pair in pairs if pair not in apart]
    return {
        "test": known[: SIZES["test"]],
        "valid": known[SIZES["test"] : held_out],
        "train": train,
    }


def write(folder, splits):
    """Same pairs, same bytes: the gzip header carries neither time nor name."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, pairs in splits.items():
        for language, lines in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
            text = "".join(f"{line}\n" for line in lines).encode()
            (folder / f"{split}.{language}.gz").write_bytes(
                gzip.compress(text, compresslevel=9, mtime=0)
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    write(arguments.folder, draw(arguments.seed))


if __name__ == "__main__":
    main()
