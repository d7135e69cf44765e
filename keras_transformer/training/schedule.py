"""The paper's learning rate."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_transformer")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then decay with the inverse square root of the update number.

        lr(s) = scale * d_model^-0.5 * min(s^-0.5, s * warmup_updates^-1.5)        s = 1, 2, 3, ...

    The peak is `scale / sqrt(d_model * warmup_updates)`, at s = warmup_updates.

    Args:
        d_model: width of the model.
        warmup_updates: updates over which the rate rises; 4000 in the paper.
        scale: factor on the whole schedule; 1 in the paper.
        gradient_accumulation_steps: the optimizer's argument of that name, if any: Keras then calls a schedule once for
            every batch, and s must count updates.

    Raises:
        ValueError: if an argument is not above 0.

    Example:
        >>> round(float(WarmupSchedule(d_model=512)(3999)), 6)  # Keras counts from 0
        0.000699

    Source: Vaswani et al. 2017, section 5.3.
    """

    def __init__(self, d_model, warmup_updates=4000, scale=1.0, gradient_accumulation_steps=1):
        self.d_model, self.warmup_updates, self.scale = d_model, warmup_updates, scale
        self.gradient_accumulation_steps = gradient_accumulation_steps
        for name, value in self.get_config().items():
            if not value > 0:
                raise ValueError(f"{name} must be above 0; received {value!r}")

    def __call__(self, step):
        update = ops.floor_divide(ops.cast(step, "float32"), self.gradient_accumulation_steps) + 1.0
        factor = ops.minimum(update**-0.5, update * self.warmup_updates**-1.5)
        return self.scale * self.d_model**-0.5 * factor

    def get_config(self):
        names = ("d_model", "warmup_updates", "scale", "gradient_accumulation_steps")
        return {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable("keras_transformer")
class Adam(keras.optimizers.Adam):
    """Keras's Adam that remembers the global norm of the last gradient, before any clipping, as `gradient_norm`."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.gradient_norm = self.add_variable((), name="gradient_norm", dtype="float32")

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        squares = [ops.sum(ops.square(ops.cast(grad, "float32"))) for grad in grads if grad is not None]
        self.gradient_norm.assign(ops.sqrt(sum(squares)))


def paper_adam(schedule, **options):
    """Adam with the paper's beta_1 = 0.9, beta_2 = 0.98, epsilon = 1e-9.

    It remembers the global norm of the last gradient, before any clipping, as its variable `gradient_norm`.

    Args:
        schedule: a `WarmupSchedule`, or any learning rate that Keras takes.
        **options: further arguments of `keras.optimizers.Adam`, such as `weight_decay`, `global_clipnorm`,
            `gradient_accumulation_steps`.

    Example:
        >>> paper_adam(WarmupSchedule(d_model=512), global_clipnorm=1.0).beta_2
        0.98

    Source: Vaswani et al. 2017, section 5.3.
    """
    return Adam(schedule, beta_1=0.9, beta_2=0.98, epsilon=1e-9, **options)
