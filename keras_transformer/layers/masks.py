"""Which position may look at which: boolean masks, True where attention is allowed."""

from keras import ops

from keras_transformer.text.special_tokens import PAD


def positions_of(ids):
    """The positions 0, 1, 2, ... of ids `(B, T)` as `(B, T)` int32.

    By `cumsum` and not `arange`: the length of an exported graph is dynamic.
    """
    return ops.cumsum(ops.ones_like(ids, dtype="int32"), axis=1) - 1


def padding_mask(ids, pad=PAD):
    """True at the real tokens: `mask[b, 0, s] = (ids[b, s] != pad)`.

    Args:
        ids: `(B, S)` integer token ids.
        pad: the id that fills up rows.

    Returns:
        `(B, 1, S)` boolean, to be broadcast over the query positions.

    Example:
        >>> np.asarray(padding_mask(np.array([[7, 3, 0]]))).tolist()
        [[[True, True, False]]]
    """
    return ops.expand_dims(ops.not_equal(ids, pad), axis=1)


def causal_mask(query_positions, key_positions):
    """True where the key is not later than the query: `mask[b, t, s] = (key[b, s] <= query[b, t])`.

    Args:
        query_positions: `(B, T)` or `(1, T)` integer positions of the queries.
        key_positions: `(B, S)` or `(1, S)` integer positions of the keys.

    Returns:
        `(B, T, S)` boolean. Source: Vaswani et al. 2017, section 3.2.3.

    Example:
        >>> np.asarray(causal_mask(np.array([[0, 1]]), np.array([[0, 1]]))).tolist()
        [[[True, False], [True, True]]]
    """
    return ops.less_equal(
        ops.expand_dims(key_positions, axis=1), ops.expand_dims(query_positions, axis=2)
    )
