"""A corpus of millions of pairs: how fast it becomes batches, and in how much memory.

    python -m benchmarks.corpus --pairs 5000000

The pairs are those of the bundled corpus, repeated, with words left out and changed at
random so that they differ. Prints pairs and target tokens a second of building the
store, the seconds to the first batch and of the first 1,000 batches, what of the latter
are read a second, and the largest resident memory; beside it what of that is the
process's own, on Linux: the pages of the store are the system's, which takes them back
when it needs them.
"""

import argparse
import itertools
import json
import random
import re
import tempfile
import threading
import time
from pathlib import Path

from keras_transformer.config import DataConfig
from keras_transformer.data.batches import TokenBatches
from keras_transformer.data.examples import captions
from keras_transformer.data.pairs import read_pairs
from keras_transformer.data.store import TokenStore
from keras_transformer.text.special_tokens import PAD
from keras_transformer.text.tokenizer import Tokenizer


def perturbed(pairs, count):
    """`count` pairs: the given ones, each time with a word less or two exchanged."""
    draw = random.Random(0)

    def change(line):
        words = line.split(" ")
        i = draw.randrange(len(words))
        if draw.random() < 0.5 and len(words) > 3:
            del words[i]
        else:
            words[i], words[0] = words[0], words[i]
        return " ".join(words)

    for source, target in itertools.islice(itertools.cycle(pairs), count):
        yield change(source), change(target)


class OwnMemory:
    """The most memory of the process's own, in bytes, while it is looked at."""

    def __init__(self):
        self.most = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._is_over.set()
        self._thread.join()

    def _look(self):
        while not self._is_over.wait(0.02):
            self.most = max(self.most, own_memory())


def memory_of(kind):
    """Bytes of this process's memory of a kind, as Linux counts it.

    What `resource` says is at least what the process had that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{kind}:\s+(\d+)", status)[1])


def own_memory():
    """Resident memory of this process that no file stands behind, in bytes."""
    return memory_of("RssAnon")


def measure(count, batches):
    """The figures of building a store and drawing its first batches, by name."""
    pairs = list(read_pairs(*captions("train")))
    tokenizer = Tokenizer.train((line for pair in pairs for line in pair), 1200)
    before = own_memory()
    with tempfile.TemporaryDirectory() as folder, OwnMemory() as memory:
        begin = time.perf_counter()
        store = TokenStore.build(
            Path(folder) / "store",
            perturbed(pairs, count),
            tokenizer,
            config=DataConfig(),
        )
        built = time.perf_counter()
        drawn = TokenBatches(store, batch_tokens=4096, seed=1)
        first = time.perf_counter()
        read = 0
        for number in range(min(batches, len(drawn))):
            _, labels, _ = drawn[number]
            read += int((labels != PAD).sum())
        done = time.perf_counter()
        tokens = int(store.lengths[:, 1].sum())
        size = sum(
            path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()
        )
    return {
        "pairs": store.report.kept,
        "pairs_per_second": store.report.kept / (built - begin),
        "target_tokens_per_second": tokens / (built - begin),
        "store_bytes": size,
        "seconds_to_first_batch": first - built,
        "seconds_of_batches": done - first,
        "target_tokens_read_per_second": read / (done - first),
        "largest_resident_bytes": memory_of("VmHWM"),
        "largest_own_bytes": memory.most,
        "of_it_before_the_corpus": before,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5_000_000)
    parser.add_argument("--batches", type=int, default=1000)
    options = parser.parse_args()
    print(json.dumps(measure(options.pairs, options.batches), indent=2))
