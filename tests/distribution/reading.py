"""What one process of several reads of a store in an epoch.

    python reading.py STORE

Prints the bytes of ids that it takes from the files, and which pairs these are.
"""

import json
import sys

from keras_transformer.data.batches import TokenBatches
from keras_transformer.data.store import TokenStore
from keras_transformer.distribution.launcher import launched

BYTES = 2  # of an id; of a pair, both sides are read


class Counted(TokenStore):
    """A store that notes what is read of it."""

    pairs = []
    bytes = 0

    def padded(self, rows, width, pad):
        Counted.pairs += rows.tolist()
        Counted.bytes += 2 * len(rows) * width * BYTES
        return super().padded(rows, width, pad)


batches = TokenBatches(Counted.open(sys.argv[1]), 512, shard=(*launched(), 1))
for number in range(len(batches)):
    batches[number]
print(json.dumps(dict(bytes=Counted.bytes, pairs=Counted.pairs)))
