"""Keys and values of the positions so far, which steps of decoding add to."""

import numbers

import keras
from keras import ops

from ..config import expect


def write(cache, new, index):
    """Puts the keys and values of T new positions into a cache, from `index` on.

    Args:
        cache: keys and values `(B, G, L, H)`.
        new: those of the new positions, `(B, G, T, H)`.
        index: the place of the first of them, an integer or a scalar tensor.

    Raises:
        ValueError: if the cache has no room for them. Sizes and indices that are
            tensors have no value yet, and are not checked.
    """
    length = new[0].shape[2]
    places = ops.shape(cache[0])[2]
    if isinstance(index, numbers.Integral) and isinstance(places, int):
        has_room = 0 <= index <= places - length
        what = f"have room for {length} positions in a cache of {places}"
        expect(has_room, "index", what, int(index))
    return tuple(put(old, fresh, index) for old, fresh in zip(cache, new))


def put(cache_RGLH, new_RGTH, index):
    """The cache, with new positions from `index` on.

    PyTorch copies it faster than it chooses. Elsewhere the choice becomes one pass with
    what reorders the rows before it, and every export can express it.
    """
    length = new_RGTH.shape[2]
    if keras.backend.backend() == "torch":
        place_T = ops.cast(ops.arange(length) + index, "int64")
        return cache_RGLH.index_copy(2, place_T, new_RGTH)
    place_L = ops.arange(ops.shape(cache_RGLH)[2]) - index
    here_L1 = ops.expand_dims(ops.logical_and(place_L >= 0, place_L < length), 1)
    if length > 1:
        rows_L = ops.clip(place_L, 0, length - 1)
        new_RGTH = ops.take(new_RGTH, rows_L, axis=2)
    return ops.where(here_L1, new_RGTH, cache_RGLH)
