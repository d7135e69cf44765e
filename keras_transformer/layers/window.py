"""Attention to near positions only, at a cost of T x window instead of T x T."""

from keras import ops

from .masks import as_positions, both, causal_mask, positions_of


def window_mask(queries, keys, window):
    """True where query and key are less than `window` positions apart: `(B, T, S)`.

    With the causal mask a position sees itself and the `window - 1` before it.

    Source: Beltagy et al. 2020 (Longformer), section 3.1; Jiang et al. 2023 (Mistral).
    """
    queries_BT1 = ops.expand_dims(as_positions(queries, "queries"), axis=2)
    keys_B1S = ops.expand_dims(as_positions(keys, "keys"), axis=1)
    return ops.abs(queries_BT1 - keys_B1S) < window


def order_mask(x, source, window, is_causal):
    """The mask of what x may see of the source by their order, `(1, 1, T, S)`.

    None where it may see everything: without a window, and not causal.
    """
    if window is None and not is_causal:
        return None
    queries = positions_of(x[:1, :, 0])
    keys = positions_of(source[:1, :, 0])
    seen = None
    if is_causal:
        seen = causal_mask(queries, keys)
    if window is not None:
        seen = both(seen, window_mask(queries, keys, window))
    return ops.expand_dims(seen, axis=1)


def attend_in_blocks(attend, query, key, value, mask, window, is_causal):
    """`attend(query, key, value, mask)` within a window, block by block.

    The positions are cut into blocks of one window. A block's queries see the keys of
    the block before, of their own and, unless causal, of the next one: nothing of the
    size T x T is ever made.

    Args:
        attend: attention of `(R, T, N, H)`, `(R, S, N, H)` and a mask `(R, 1, T, S)`.
        query, key, value: `(B, T, N, H)`.
        mask: boolean `(B, 1, 1, T)` or None, the keys that may be seen.
        window: how many positions are seen on one side, the own one included.
        is_causal: whether no later position is seen.

    Returns:
        `(B, T, N, H)`.
    """
    length = ops.shape(query)[1]
    mask_BT = ops.ones_like(key[:, :, 0, 0], dtype="bool")
    if mask is not None:
        mask_BT = ops.logical_and(mask_BT, mask[:, 0, 0])
    offsets = (0, 1) if is_causal else (0, 1, 2)

    def near(x):
        cuts = [blocks(x, window, offset) for offset in offsets]
        return ops.concatenate(cuts, axis=1)

    near_mask_RK = ops.cast(near(ops.cast(mask_BT, "int32")), "bool")
    keys = ops.arange(near_mask_RK.shape[1])
    places = ops.arange(window) + window
    seen_1QK = window_mask(places, keys, window)
    if is_causal:
        seen_1QK = both(seen_1QK, causal_mask(places, keys))
    seen_RQK = ops.logical_and(ops.expand_dims(near_mask_RK, 1), seen_1QK)
    values = attend(
        blocks(query, window, 1), near(key), near(value), ops.expand_dims(seen_RQK, 1)
    )
    padded = (length // window + 1) * window
    values = ops.reshape(values, (-1, padded, *values.shape[2:]))
    return values[:, :length]


def blocks(x, window, offset):
    """Cuts `(B, T, ...)` into blocks `(B C, window, ...)`, with C = T // window + 1.

    The first block begins `1 - offset` windows before x: zeros fill up what x has not.
    """
    shape = ops.shape(x)
    number = shape[1] // window + 1
    padding = [[0, 0] for _ in x.shape]
    padding[1] = [window, 2 * window]
    padded = ops.pad(x, padding)
    first = offset * window
    cut = padded[:, first : first + number * window]
    return ops.reshape(cut, (-1, window, *x.shape[2:]))
