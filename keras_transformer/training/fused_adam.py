"""Adam's update as Keras has it, by kernels that pass over memory once."""

import math


def on_tensorflow(weight, gradient, momentum, velocity, rate, updates, constants):
    """Moves a weight, its momentum and its velocity by one update, in place.

    Args:
        weight, momentum, velocity: variables of TensorFlow.
        gradient: a tensor.
        rate: the learning rate.
        updates: the number of updates before this one, t - 1.
        constants: beta_1, beta_2 and epsilon.
    """
    import tensorflow as tf

    dtype = weight.dtype
    time = tf.cast(updates + 1, dtype)
    beta_1, beta_2, epsilon = (tf.constant(constant, dtype) for constant in constants)
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle,
        m=momentum.handle,
        v=velocity.handle,
        beta1_power=beta_1**time,
        beta2_power=beta_2**time,
        lr=tf.cast(rate, dtype),
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=tf.cast(tf.convert_to_tensor(gradient), dtype),
    )


def on_torch(weights, gradients, momenta, velocities, rate, updates, constants):
    """The same for lists of tensors, all at once, and numbers.

    Keras adds its epsilon to the velocity's root as it is, PyTorch to the root of a
    velocity that is corrected for having begun at 0:

        w -= rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)
        w -= rate / (1 - beta_1^t) m / (sqrt(v / (1 - beta_2^t)) + epsilon)

    So PyTorch gets epsilon / sqrt(1 - beta_2^t).
    """
    import torch
    from torch.optim.adam import adam

    beta_1, beta_2, epsilon = constants
    correction = 1.0 - beta_2 ** (updates + 1)
    pairs = zip(gradients, weights, strict=True)
    adam(
        weights,
        [gradient.to(weight.dtype) for gradient, weight in pairs],
        momenta,
        velocities,
        max_exp_avg_sqs=[],
        state_steps=list(torch.full((len(weights),), float(updates)).unbind()),
        fused=True,
        amsgrad=False,
        beta1=beta_1,
        beta2=beta_2,
        lr=rate,
        weight_decay=0.0,
        eps=epsilon / math.sqrt(correction),
        maximize=False,
    )
