"""Tokens that may not come next: True at them, in arrays `(R, V)`.

Suffixes name axes as in `search`.
"""

import keras
from keras import ops

from . import cache as caches


def closed_by(copied_RP, tokens_RL, room_R, first, end, vocabulary):
    """True `(R, V)` where a token may not come next, if some come so many times.

    A copied token may not come too often, the end not before all have come, and nothing
    else where there is room for no more than these.

    Args:
        copied_RP: how often each of P tokens is to come: `first`, `first + 1` and so
            on.
        tokens_RL: what was generated so far.
        room_R: how many tokens may follow.
        first: the first of the P tokens.
        end: the end token.
        vocabulary: V.
    """
    number = copied_RP.shape[1]
    copied_P = first + ops.arange(number, dtype="int32")
    is_copy_RLP = ops.expand_dims(tokens_RL, 2) == copied_P
    left_RP = copied_RP - ops.sum(ops.cast(is_copy_RLP, "int32"), axis=1)
    missing_R1 = ops.sum(left_RP, axis=1, keepdims=True)
    left_RV = ops.pad(left_RP, [[0, 0], [first, vocabulary - first - number]])
    ids_V = ops.arange(vocabulary, dtype="int32")
    is_copy_V = (ids_V >= first) & (ids_V < first + number)
    is_spent_RV = is_copy_V & (left_RV <= 0)
    is_early_RV = (ids_V == end) & (missing_R1 > 0)
    is_late_R1 = (missing_R1 > 0) & (missing_R1 >= ops.expand_dims(room_R, 1))
    return is_spent_RV | is_early_RV | (is_late_R1 & ~is_copy_V)


def repeating(tokens_RL, index, size, vocabulary):
    """True `(R, V)` at tokens that would end `size` tokens which a row has already.

    Args:
        tokens_RL: what was generated before position `index`.
        index: () int32.
        size: tokens in a row, 1 for no token twice.
        vocabulary: V.

    Source: Paulus et al. 2018, section 2.5 (of three tokens).
    """
    length = tokens_RL.shape[1]
    starts = length - size + 1
    none_R1 = ops.zeros_like(tokens_RL[:, :1], dtype="bool")
    if starts < 1:
        return ops.tile(none_R1, (1, vocabulary))
    starts_J = ops.arange(starts, dtype="int32")
    is_there_RJ = ops.expand_dims(starts_J + size <= index, 0)
    for place in range(size - 1):
        here_L = ops.arange(length, dtype="int32") == index - size + 1 + place
        newest_R1 = ops.sum(ops.where(here_L, tokens_RL, 0), axis=1, keepdims=True)
        before_RJ = tokens_RL[:, place : place + starts]
        is_there_RJ = is_there_RJ & (before_RJ == newest_R1)
    # What repeats nothing is written to one more column, and PAD, which may be -1.
    last_RJ = tokens_RL[:, size - 1 :]
    ids_RJ = ops.where(is_there_RJ & (last_RJ >= 0), last_RJ, vocabulary)
    return at_ids(ids_RJ, vocabulary + 1)[:, :vocabulary]


def at_ids(ids_RJ, width):
    """True `(R, width)` at the ids of each row."""
    none_RW = ops.tile(ops.zeros_like(ids_RJ[:, :1], dtype="bool"), (1, width))
    if keras.backend.backend() == "torch":
        # Keras would write into an array, and no graph may.
        return none_RW.scatter(1, ops.cast(ids_RJ, "int64"), True)
    places_N = caches.rows(ids_RJ, width)
    updates = ops.ones_like(places_N, dtype="bool")
    flat = ops.reshape(none_RW, (-1,))
    flat = ops.scatter_update(flat, ops.expand_dims(places_N, 1), updates)
    return ops.reshape(flat, (-1, width))
