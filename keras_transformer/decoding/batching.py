"""Lists of ids as arrays of few shapes, since each shape costs a compilation."""

import numpy as np

from ..data.buckets import bucket_edges

SIZES = (1, 8, 32)  # rows of small batches
LEFT = (1, 4, 8, 16, 32)  # rows of what is left of a batch, when others are over
SHORT = 32  # source tokens up to which sentences go together, however short they are
LONG = 64  # above which a batch has few rows, for the sake of memory
FEW = 8


def pad(lists, rows, width, value, filler=()):
    """Lists of ids as `(rows, width)` int32, padded on the right with `value`.

    Rows that are missing are `filler`.
    """
    array = np.full((rows, width), value, "int32")
    for row in range(rows):
        ids = lists[row] if row < len(lists) else filler
        array[row, : len(ids)] = ids
    return array


def padded_width(length, longest):
    """The width of the arrays for that many tokens: every second bucket edge."""
    edges = bucket_edges(max(length, longest))
    return next(edge for edge in (*edges[1::2], edges[-1]) if edge >= length)


def row_sizes(batch_size, sizes=SIZES):
    """The numbers of rows that batches have."""
    return sorted({*(size for size in sizes if size < batch_size), batch_size})


def batches(lengths, batch_size, longest):
    """Cut sentences of those lengths, sorted, into batches.

    A long sentence does not make short ones wait: in a batch it is at most twice as
    long as the shortest, or short itself.

    Yields:
        `(indices, rows, width)`: the sentences, and the shape of the arrays, their rows
        among `row_sizes`.
    """
    order = np.argsort(lengths, kind="stable")
    row_counts = row_sizes(batch_size)
    start = 0
    while start < len(order):
        shortest = lengths[order[start]]
        most = FEW if shortest > LONG else batch_size
        widest = max(SHORT, 2 * shortest)
        if shortest <= LONG:
            widest = min(widest, LONG)
        batch = order[start : start + min(most, batch_size)]
        batch = [n for n in batch if lengths[n] <= widest]
        rows = next(rows for rows in row_counts if rows >= len(batch))
        yield batch, rows, padded_width(lengths[batch[-1]], longest)
        start += len(batch)
