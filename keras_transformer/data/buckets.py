"""Which shapes batches have: bucket edges and rows a bucket. Arithmetic only.

Lengths are those of the padded rows: tokens and one end (source, labels) or begin
(target input).
"""

import numpy as np


def bucket_edges(longest: int) -> tuple[int, ...]:
    """Widths of batches up to `longest`: steps of 4 up to 32, then a quarter more each time, in steps of 8.

    Few of them, because JAX compiles each shape once; dense where most sentences lie,
    because padding costs time.

    Example:
        >>> bucket_edges(128)
        (4, 8, 12, 16, 20, 24, 28, 32, 40, 56, 72, 96, 120, 128)
        >>> bucket_edges(10)
        (4, 8, 10)
    """
    edges = [4]
    while edges[-1] < longest:
        edge = edges[-1]
        edges.append(edge + 4 if edge < 32 else -(-edge * 5 // 32) * 8)
    return (*edges[:-1], min(edges[-1], longest))


def rows_per_bucket(edge: int, batch_tokens: int) -> int:
    """Rows of width `edge` within a budget of tokens, padding included; a multiple of 8 where that many fit.

    Example:
        >>> rows_per_bucket(16, 4096), rows_per_bucket(12, 4096), rows_per_bucket(40, 100), rows_per_bucket(40, 8)
        (256, 336, 2, 1)
    """
    rows = max(1, batch_tokens // edge)
    return rows // 8 * 8 if rows >= 8 else rows


def cut(
    order: np.ndarray, widths: np.ndarray, edges: tuple[int, ...], batch_tokens: int
) -> list:
    """Batches of one bucket each, as (edge, rows), every example in one of them.

    What does not fill a batch of its bucket goes up to the next one: padding it is
    cheaper than filler rows, and no update hangs on a handful of sentences. So only the
    last batch is short, and how many there are of each edge depends on the widths
    alone, not on the order.

    Args:
        order: example indices, (n,); each bucket takes its own in this order.
        widths: padded length of each example, (n,), at most `edges[-1]`.
        edges: what `bucket_edges` gives.
        batch_tokens: budget of a batch, padding included.
    """
    bucket = np.searchsorted(edges, widths)[order]
    batches, waiting = [], order[:0]
    for number, edge in enumerate(edges):
        own = order[bucket == number]
        if not len(own):  # no new shape for what others left over
            continue
        waiting = np.concatenate([waiting, own])
        rows = rows_per_bucket(edge, batch_tokens)
        full = len(waiting) // rows * rows
        batches += [
            (edge, waiting[start : start + rows]) for start in range(0, full, rows)
        ]
        waiting = waiting[full:]
    return [*batches, (edge, waiting)] if len(waiting) else batches
