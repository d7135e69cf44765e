"""The paper's optimizer."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_transformer")
class Adam(keras.optimizers.Adam):
    """Keras's Adam that remembers the global norm of the last gradient.

    It is the norm before any clipping, the variable `gradient_norm`.
    """

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.gradient_norm = self.add_variable(
            (), name="gradient_norm", dtype="float32"
        )

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        present = [ops.cast(grad, "float32") for grad in grads if grad is not None]
        squares = [ops.sum(ops.square(grad)) for grad in present]
        self.gradient_norm.assign(ops.sqrt(sum(squares)))


def paper_adam(schedule, **options):
    """Adam with the paper's beta_1 = 0.9, beta_2 = 0.98, epsilon = 1e-9.

    It remembers the global norm of the last gradient, before any clipping, as its
    variable `gradient_norm`.

    Args:
        schedule: a `WarmupSchedule`, or any learning rate that Keras takes.
        **options: further arguments of `keras.optimizers.Adam`, such as `weight_decay`,
            `global_clipnorm`, `gradient_accumulation_steps`.

    Example:
        >>> paper_adam(WarmupSchedule(d_model=512), global_clipnorm=1.0).beta_2
        0.98

    Source: Vaswani et al. 2017, section 5.3.
    """
    return Adam(schedule, beta_1=0.9, beta_2=0.98, epsilon=1e-9, **options)
