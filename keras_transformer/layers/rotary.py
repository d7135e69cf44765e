"""Rotary positions: queries and keys are turned by angles that grow with position."""

import math

import numpy as np
from keras import ops

from ..config import expect_above_0

# Llama 3's: waves that fit fewer than LOW_TURNS times into the first length are
# stretched, those that fit more than HIGH_TURNS times stay.
LOW_TURNS = 1.0
HIGH_TURNS = 4.0


def rates(size, base=10000.0, factor=1.0, length=8192):
    """The angle per position of each pair, `(H / 2,)` float32.

        rate_i = base^(-2i / H)

    Args:
        size: H, the even size of one head.
        base: of the slowest pair's wave length.
        factor: how much longer than `length` texts may be (Llama 3.1): slow rates are
            divided by it, fast ones stay, those between are mixed.
        length: the positions that the model was trained on before.

    Raises:
        ValueError: if base, factor or length is not a number above 0.

    Source: Su et al. 2021 (RoFormer); Llama 3.1's scaling: Dubey et al. 2024.
    """
    expect_above_0(base=base, factor=factor, length=length)
    rate = base ** (-np.arange(0, size, 2) / size)
    turns = length * rate / (2 * math.pi)
    kept = np.clip((turns - LOW_TURNS) / (HIGH_TURNS - LOW_TURNS), 0.0, 1.0)
    return (rate * (kept + (1 - kept) / factor)).astype("float32")


def rotate(x_BTNH, positions_BT, rates_I):
    """Turns the halves of each head, pair by pair, by `position * rate`.

        (x1, x2) -> (x1 cos a - x2 sin a, x2 cos a + x1 sin a)

    The product of a query and a key then depends on the distance of their positions
    only. Angles are float32 whatever the type of x.
    """
    positions_BT11 = ops.expand_dims(ops.cast(positions_BT, "float32"), axis=(2, 3))
    # As a tensor: times an array, NumPy would compute, out of sight of PyTorch.
    angles_BT1I = positions_BT11 * ops.convert_to_tensor(rates_I, "float32")
    cosines = ops.cos(angles_BT1I)
    sines = ops.sin(angles_BT1I)
    first, second = ops.split(ops.cast(x_BTNH, "float32"), 2, axis=-1)
    turned = [first * cosines - second * sines, second * cosines + first * sines]
    return ops.cast(ops.concatenate(turned, axis=-1), x_BTNH.dtype)
