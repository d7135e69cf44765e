"""The paper's optimizer."""

import keras
from keras import ops


class GradientTransform:
    """Lets `distribute` sum the gradients before one of Keras's optimizers sees them.

    Keras has no hook there: TensorFlow's strategies sum what each device has clipped
    already, and under PyTorch nothing sums between processes. Put it before any of
    Keras's optimizers to train with that one on several devices.

    Attributes:
        gradient_transform: a function that `Distribution.prepare` sets; it receives the
            list of this device's gradients and returns what is to be clipped,
            accumulated and applied. None applies the gradients as they are.

    Examples:
        >>> class SGD(GradientTransform, keras.optimizers.SGD):
        ...     pass
    """

    gradient_transform = None

    def apply(self, grads, trainable_variables=None):
        if self.gradient_transform is not None:
            grads = self.gradient_transform(grads)
        super().apply(grads, trainable_variables)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        # Only TensorFlow's optimizers have this method.
        if self.gradient_transform is not None:  # these are sums already
            return list(grads_and_vars)
        return super()._all_reduce_sum_gradients(grads_and_vars)


class AdamWithNorm(keras.optimizers.Adam):
    """Keras's Adam that remembers the global norm of the gradients it was given."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.gradient_norm = self.add_variable((), name="gradient_norm")

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        present = [ops.cast(grad, "float32") for grad in grads if grad is not None]
        squares = [ops.sum(ops.square(grad)) for grad in present]
        self.gradient_norm.assign(ops.sqrt(sum(squares)))


@keras.saving.register_keras_serializable("keras_transformer")
class Adam(GradientTransform, AdamWithNorm):
    """Keras's Adam, for one device and for several.

    It remembers the global norm of the last gradient, before any clipping, as
    `gradient_norm`.
    """


@keras.saving.register_keras_serializable("keras_transformer")
class LossScaleOptimizer(GradientTransform, keras.optimizers.LossScaleOptimizer):
    """Keras's; on several devices all skip the update that overflows on one."""


def paper_adam(schedule, **options):
    """Adam with the paper's beta_1 = 0.9, beta_2 = 0.98, epsilon = 1e-9.

    It remembers the global norm of the last gradient, before any clipping, as its
    variable `gradient_norm`.

    Args:
        schedule: a `WarmupSchedule`, or any learning rate that Keras takes.
        **options: further arguments of `keras.optimizers.Adam`, such as `weight_decay`,
            `global_clipnorm`, `gradient_accumulation_steps`.

    Examples:
        >>> paper_adam(WarmupSchedule(d_model=512), global_clipnorm=1.0).beta_2
        0.98

    Source: Vaswani et al. 2017, section 5.3.
    """
    return Adam(schedule, beta_1=0.9, beta_2=0.98, epsilon=1e-9, **options)
