"""Which shapes batches have. Arithmetic only.

Lengths are those of the padded rows: tokens and one end (source, labels) or begin
(target input).
"""

import math

import numpy as np


def bucket_edges(longest):
    """Widths of batches up to `longest`.

    They rise in steps of 4 up to 32, then by a quarter each time, rounded up to a
    multiple of 8. They are few, because JAX compiles each shape once, and dense where
    most sentences lie, because padding costs time.

    Examples:
        >>> bucket_edges(128)
        (4, 8, 12, 16, 20, 24, 28, 32, 40, 56, 72, 96, 120, 128)
        >>> bucket_edges(10)
        (4, 8, 10)
    """
    edges = []
    edge = 4
    while edge < longest:
        edges.append(edge)
        edge = edge + 4 if edge < 32 else math.ceil(edge * 5 / 32) * 8
    return (*edges, longest)


def rows_per_bucket(edge, batch_tokens):
    """Rows of width `edge` within a budget of tokens, padding included.

    A multiple of 8 where that many fit, and at least one.

    Examples:
        >>> rows_per_bucket(12, 4096), rows_per_bucket(40, 100)
        (336, 2)
    """
    rows = max(1, batch_tokens // edge)
    return rows - rows % 8 if rows >= 8 else rows


def cut(order, widths, edges, batch_tokens):
    """Batches of one bucket each, as (edge, rows); every example is in one of them.

    What does not fill a batch of its bucket goes up to the next one: to pad it costs
    less than filler rows, and no update depends on a handful of sentences. So only the
    last batch is short, and how many batches each edge has depends on the widths alone,
    not on the order.

    Args:
        order: example indices, (n,); each bucket takes its own in this order.
        widths: padded length of each example, (n,), at most `edges[-1]`.
        edges: what `bucket_edges` gives.
        batch_tokens: budget of a batch, padding included.
    """
    # In bytes: a corpus may have many million pairs.
    bucket_of = np.searchsorted(edges, np.arange(edges[-1] + 1)).astype(np.uint8)
    bucket = bucket_of[widths][order]
    batches = []
    waiting = order[:0]
    for number, edge in enumerate(edges):
        own = order[bucket == number]
        if len(own) == 0:  # no new shape for what others left over
            continue
        waiting = np.concatenate([waiting, own])
        last = edge
        rows = rows_per_bucket(edge, batch_tokens)
        while len(waiting) >= rows:
            batches.append((edge, waiting[:rows]))
            waiting = waiting[rows:]
    if len(waiting):
        batches.append((last, waiting))
    return batches
