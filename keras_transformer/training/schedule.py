"""The paper's learning rate."""

import keras
from keras import ops

from ..config import expect_above_0


@keras.saving.register_keras_serializable("keras_transformer")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then decay with the inverse square root of the update number.

        lr(s) = scale * d_model^-0.5 * min(s^-0.5, s * warmup_updates^-1.5)

    Updates s are counted from 1. The peak is `scale / sqrt(d_model * warmup_updates)`,
    at s = warmup_updates.

    Args:
        d_model: width of the model.
        warmup_updates: updates over which the rate rises; 4000 in the paper.
        scale: factor on the whole schedule; 1 in the paper.
        gradient_accumulation_steps: the optimizer's argument of that name, if any:
            Keras then calls a schedule once for every batch, and s must count updates.

    Raises:
        ValueError: if an argument is not above 0 and finite.

    Examples:
        >>> round(float(WarmupSchedule(d_model=512)(3999)), 6)  # Keras counts from 0
        0.000699

    Source: Vaswani et al. 2017, section 5.3.
    """

    def __init__(
        self, d_model, warmup_updates=4000, scale=1.0, gradient_accumulation_steps=1
    ):
        self.d_model = d_model
        self.warmup_updates = warmup_updates
        self.scale = scale
        self.gradient_accumulation_steps = gradient_accumulation_steps
        expect_above_0(**self.get_config())

    def __call__(self, step):
        step = ops.cast(step, "float32")
        update = ops.floor_divide(step, self.gradient_accumulation_steps) + 1.0
        factor = ops.minimum(update**-0.5, update * self.warmup_updates**-1.5)
        return self.scale * self.d_model**-0.5 * factor

    def get_config(self):
        names = ("d_model", "warmup_updates", "scale", "gradient_accumulation_steps")
        return {name: getattr(self, name) for name in names}
