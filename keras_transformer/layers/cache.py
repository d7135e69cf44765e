"""Keys and values of the positions so far, which steps of decoding add to."""

import numbers

from keras import ops

from ..config import expect
from .kernels import put


def write(cache, new, index):
    """Puts the keys and values of T new positions into a cache, from `index` on.

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
    if isinstance(index, numbers.Integral) and isinstance(places, int):
        has_room = 0 <= index <= places - length
        what = f"have room for {length} positions in a cache of {places}"
        expect(has_room, "index", what, int(index))
    return tuple(put(old, fresh, index) for old, fresh in zip(cache, new))
