"""Keys and values of the positions so far, which steps of decoding add to."""

from keras import ops

from ..config import expect


def write(cache, new, index):
    """Puts the keys and values of T new positions into a cache, from `index` on.

    By `where` and not by a slice update: every export can express it.

    Args:
        cache: keys and values `(B, G, L, H)`.
        new: those of the new positions, `(B, G, T, H)`.
        index: the place of the first of them, an integer or a scalar tensor.

    Raises:
        ValueError: if the cache is seen to have no room for them: sizes and places that
            are tensors have no value yet.
    """
    length = new[0].shape[2]
    places = ops.shape(cache[0])[2]
    if isinstance(index, int) and isinstance(places, int):
        has_room = 0 <= index <= places - length
        what = f"have room for {length} positions in a cache of {places}"
        expect(has_room, "index", what, index)
    place_L = ops.arange(places) - index
    here_L1 = ops.expand_dims(ops.logical_and(place_L >= 0, place_L < length), 1)
    if length > 1:
        rows_L = ops.clip(place_L, 0, length - 1)
        new = tuple(ops.take(fresh, rows_L, axis=2) for fresh in new)
    return tuple(ops.where(here_L1, fresh, old) for fresh, old in zip(new, cache))
