"""Dropout as Keras has it, from half the random numbers or less."""

import keras
from keras import ops

LEVELS = 1 << 16


@keras.saving.register_keras_serializable("keras_transformer")
class Dropout(keras.layers.Dropout):
    """Keras's `Dropout`, with 16 random bits for each element.

        y = x m / p        m = 1 with probability p, else 0        p = 1 - rate

    Here p is rounded to a multiple of 2^-16. Keras draws 32 bits for each element; on a
    processor PyTorch takes three times as long for them, forward and backward.

    Args:
        rate, **kwargs: those of `keras.layers.Dropout`.

    Call arguments:
        inputs: of any shape.
        training: whether anything is dropped.

    Returns:
        y, of the same shape.

    Examples:
        >>> tuple(Dropout(0.5)(np.ones((2, 3)), training=True).shape)
        (2, 3)

    Source: Srivastava et al. 2014.
    """

    def call(self, inputs, training=False):
        kept = round((1.0 - self.rate) * LEVELS)
        is_plain = self.seed is None and self.noise_shape is None
        is_ours = training and is_plain and 0 < kept < LEVELS and inputs.shape
        if not is_ours or has_own_kernel(inputs):
            return super().call(inputs, training)
        is_kept = kept_by_chance(inputs, kept, self.seed_generator)
        # A product: PyTorch is slow at choosing between numbers.
        return inputs * (ops.cast(is_kept, inputs.dtype) * (LEVELS / kept))


def has_own_kernel(x):
    """Whether Keras's way is faster, as PyTorch has a kernel of its own on GPUs."""
    return keras.backend.backend() == "torch" and x.device.type != "cpu"


def kept_by_chance(x, kept, seed_generator):
    """True for each element of x by a chance of kept / 2^16."""
    makers = {"jax": on_jax, "tensorflow": on_tensorflow, "torch": on_torch}
    return makers[keras.backend.backend()](x, kept, seed_generator)


def on_jax(x, kept, seed_generator):
    from jax.extend.random import threefry2x32_p
    from jax.lax import broadcasted_iota

    # `jax.random.bits` throws away every second word. What is counted is each element's
    # own, and cut along the last axis alone: the first may be over several devices.
    *axes, width = x.shape
    shape = (*axes, -(-width // 4))
    *places, column = (
        broadcasted_iota("uint32", shape, axis) for axis in range(len(shape))
    )
    row = ops.zeros_like(column)
    for place, size in zip(places, axes, strict=True):
        row = row * size + place
    words = threefry2x32_p.bind(*seed_generator.next(), row, column)
    halves = [half for word in words for half in (word & (LEVELS - 1), word >> 16)]
    return ops.concatenate(halves, axis=-1)[..., :width] < kept


def on_tensorflow(x, kept, seed_generator):
    import tensorflow as tf

    # As Keras makes an int32 of each half of a seed.
    seed = tf.cast(tf.math.floormod(seed_generator.next(), tf.int32.max - 1), tf.int32)
    size = tf.size(x)
    pairs = tf.random.stateless_uniform([-(-size // 2)], seed, None, None, tf.uint32)
    bits = tf.reshape(tf.bitcast(pairs, tf.uint16), [-1])[:size]
    bits = tf.ensure_shape(tf.reshape(bits, tf.shape(x)), x.shape)
    return bits < tf.constant(kept, tf.uint16)


def on_torch(x, kept, seed_generator):
    import torch

    # From torch's own generator, as Keras's dropout without a seed.
    fours = torch.empty(-(-x.numel() // 4), dtype=torch.int64)
    fours.random_(-(1 << 63), None)
    bits = fours.view(torch.int16)[: x.numel()].view(x.shape)
    return bits < kept - LEVELS // 2
