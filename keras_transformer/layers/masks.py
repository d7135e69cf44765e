"""Masks of attention: boolean, True where a position may look at another."""

import keras
from keras import ops

# Keras fills an argument `x_mask` only when a layer is called on several tensors, and
# has no public way to read the mask of one; `x._keras_mask` is not there on JAX.
from keras.src.backend import get_keras_mask as implicit_mask  # noqa: F401

from ..config import expect
from ..text.special_tokens import PAD


def positions_of(ids):
    """The positions 0, 1, 2, ... of ids `(B, T)` as `(B, T)` int32.

    By `cumsum` and not `arange`: the length of an exported graph is dynamic.
    """
    return counted(ops.ones_like(ids)) - 1


def counted(flags_BT):
    """The number of flags that are set up to each position, `(B, T)` int32.

    In float32, which counts to 2^24: what PyTorch 2.13 compiles of an integer sum gives
    wrong gradients through the mask that is made of it.
    """
    counts_BT = ops.cumsum(ops.cast(flags_BT, "float32"), axis=1)
    return ops.cast(counts_BT, "int32")


def padding_mask(ids, pad=PAD):
    """True at the real tokens: `mask[b, 0, s] = (ids[b, s] != pad)`.

    Args:
        ids: `(B, S)` token ids.
        pad: the id that fills up rows.

    Returns:
        `(B, 1, S)` boolean, to be broadcast over the query positions.

    Examples:
        >>> np.asarray(padding_mask(np.array([[7, 3, 0]]))).tolist()
        [[[True, True, False]]]
    """
    return ops.expand_dims(ops.not_equal(ids, pad), axis=1)


def causal_mask(queries, keys):
    """True where the key is not later than the query: `mask[b, t, s] = (s <= t)`.

    Args:
        queries: the number of query positions T, which are 0 to T - 1; or their
            integer positions, `(T,)` or `(B, T)`.
        keys: the number of key positions S, or their positions `(S,)` or `(B, S)`.

    Returns:
        `(B, T, S)` boolean; B is 1 where no positions of several rows are given.

    Raises:
        ValueError: if a number is no length, or positions have more than two axes.

    Examples:
        >>> np.asarray(causal_mask(2, 3)).tolist()
        [[[True, False, False], [True, True, False]]]

    Source: Vaswani et al. 2017, section 3.2.3.
    """
    query_positions = ops.expand_dims(as_positions(queries, "queries"), axis=2)
    key_positions = ops.expand_dims(as_positions(keys, "keys"), axis=1)
    return ops.less_equal(key_positions, query_positions)


def as_positions(given, name):
    """Positions `(B, T)` from a number of positions, or from positions."""
    what = "be a length, or positions (T,) or (B, T)"
    is_length = isinstance(given, int) and given >= 0
    expect(is_length or hasattr(given, "shape"), name, what, given)
    if is_length or len(given.shape) == 0:
        given = ops.arange(given)
    rank = len(ops.shape(given))
    expect(rank in (1, 2), name, what, f"an array of rank {rank}")
    return ops.expand_dims(given, axis=0) if rank == 1 else given


def both(mask, other):
    """The mask of what both masks allow; None allows everything."""
    if mask is None:
        return other
    if other is None:
        return mask
    return ops.logical_and(as_boolean(mask), as_boolean(other))


def documents(ids, begin):
    """The mask of a row's documents, and the place where each of them begins.

    Args:
        ids: `(B, T)` token ids.
        begin: the id with which each document begins; a row's first may do without.

    Returns:
        a mask `(B, T, T)`, True within a document; and `(B, T)` int32, which added to
        positions in the row gives the positions in their documents.
    """
    number_BT = counted(ops.equal(ids, begin))
    queries_BT1 = ops.expand_dims(number_BT, axis=2)
    keys_B1T = ops.expand_dims(number_BT, axis=1)
    earlier_BTT = ops.cast(keys_B1T < queries_BT1, "int32")
    return ops.equal(queries_BT1, keys_B1T), -ops.sum(earlier_BTT, axis=2)


def implicit_key_mask(source):
    """The implicit Keras mask of what is attended to, `(B, 1, 1, S)`, or None."""
    mask_BS = implicit_mask(source)
    if mask_BS is None:
        return None
    return ops.cast(ops.expand_dims(mask_BS, axis=(1, 2)), "bool")


def full_mask(mask, shape):
    """An attention mask with all four axes, the missing ones filled by Keras's rule.

    Args:
        mask: `(T, S)`, `(B, T, S)` or `(B, N, T, S)`, True where attention is allowed.
        shape: the sizes `(B, N, T, S)` that the mask must broadcast to; None where a
            size is unknown.

    Returns:
        a boolean mask of rank 4.

    Raises:
        ValueError: if the mask cannot be broadcast, or is of floats.
    """
    mask = ops.convert_to_tensor(mask)
    received = tuple(mask.shape)
    if len(received) == 2:
        mask = ops.expand_dims(mask, axis=(0, 1))
    if len(received) == 3:
        mask = ops.expand_dims(mask, axis=1)
    check_broadcasts("attention_mask", mask.shape, shape, received)
    return as_boolean(mask)


def check_broadcasts(name, own, shape, received):
    """Raise a `ValueError` unless a shape broadcasts to that of scores.

    Args:
        name: of the argument.
        own: the shape, of rank 4.
        shape: the sizes `(B, N, T, S)`; None where one is unknown.
        received: the shape that the argument had.
    """
    what = f"broadcast to (batch, heads, queries, keys) = {tuple(shape)}"
    expect(broadcasts(own, shape), name, what, tuple(received))


def broadcasts(own, shape):
    """Whether a shape broadcasts to another; None is a size that is unknown."""
    sizes = zip(own, shape)
    fits = all(size in (1, None) or full in (size, None) for size, full in sizes)
    return fits and len(own) == len(shape)


def as_boolean(mask):
    """A mask as booleans.

    Of floats nobody can tell: 0 allows attention where a mask is to be added to scores,
    and forbids it where scores are to be multiplied.
    """
    dtype = keras.backend.standardize_dtype(mask.dtype)
    what = "be boolean, True where attention is allowed"
    expect(not keras.backend.is_float_dtype(dtype), "attention_mask", what, dtype)
    return ops.cast(mask, "bool")
