"""The paper's optimizer."""

import keras
from keras import ops

from ..config import expect, expect_above_0
from . import fused_adam
from .schedule import WarmupSchedule


class GradientTransform:
    """Hooks that Keras's optimizers lack: for gradients, and for an epoch's end.

    `distribute` sums the gradients before one of Keras's optimizers sees them:
    TensorFlow's strategies sum what each device has clipped already, and under PyTorch
    nothing sums between processes. And accumulation ends with the epoch: Keras would
    complete the last update with batches of the next epoch. Put it before any of
    Keras's optimizers to train with that one.

    Attributes:
        gradient_transform: a function that `Distribution.prepare` sets; it receives the
            list of this device's gradients and returns what is to be clipped,
            accumulated and applied. None applies the gradients as they are.
        epoch_batches: the number of batches of an epoch, whose last update is the mean
            of those that are left under `gradient_accumulation_steps`. None completes
            it in the next epoch, as Keras does.

    Examples:
        >>> class SGD(GradientTransform, keras.optimizers.SGD):
        ...     pass
    """

    gradient_transform = None
    epoch_batches = None

    def apply(self, grads, trainable_variables=None):
        if self.gradient_transform is not None:
            grads = self.gradient_transform(grads)
        if self.epoch_batches and self.gradient_accumulation_steps:
            grads = self._complete_last_update(grads)
        super().apply(grads, trainable_variables)

    def _complete_last_update(self, grads):
        """Gradients that make a mean of an epoch's last batches, whatever their number.

        Keras updates when the number of batches is a multiple of `steps`, by which it
        divides. So the batches that are missing are counted as done.
        """
        steps = self.gradient_accumulation_steps
        batches = self.epoch_batches
        left = batches % steps
        if left == 0:
            return grads
        missing = steps - left
        place = self._iterations % (batches + missing)
        skipped = ops.where(place == batches - 1, missing, 0)
        share = ops.where(place >= batches - left, left / steps, 1.0)
        self._iterations.assign_add(ops.cast(skipped, self._iterations.dtype))
        return [None if grad is None else ops.divide(grad, share) for grad in grads]

    def finalize_variable_values(self, var_list):
        # Keras ends each `fit` with the moving average of the weights. `train`, which
        # says how many batches there are, goes on with those that learn.
        if self.epoch_batches is not None:
            return
        super().finalize_variable_values(var_list)
        # Weight and average are one array of JAX's then, which the next step cannot
        # take twice.
        for average in getattr(self, "_model_variables_moving_average", ()):
            if average is not None:
                average.assign(ops.copy(average))

    def _all_reduce_sum_gradients(self, grads_and_vars):
        # Only TensorFlow's optimizers have this method.
        if self.gradient_transform is not None:  # these are sums already
            return list(grads_and_vars)
        return super()._all_reduce_sum_gradients(grads_and_vars)


# What Keras makes of its Adam. Under PyTorch that is another class, which updates all
# weights together. An instance with variables would start a backend here.
KerasAdam = type(keras.optimizers.Adam.__new__(keras.optimizers.Adam))


class FastAdam(KerasAdam):
    """Keras's Adam, by kernels that pass over memory once.

    It remembers the global norm of the gradients that it was given.
    """

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.gradient_norm = self.add_variable((), name="gradient_norm")

    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        present = [ops.cast(grad, "float32") for grad in grads if grad is not None]
        if present:
            norms = [ops.norm(grad) for grad in present]
            self.gradient_norm.assign(ops.norm(ops.stack(norms)))

    @property
    def _constants(self):
        return self.beta_1, self.beta_2, self.epsilon

    def update_step(self, gradient, variable, learning_rate):
        if keras.backend.backend() != "tensorflow" or self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        place = self._get_variable_index(variable)
        fused_adam.on_tensorflow(
            variable,
            gradient,
            self._momentums[place].value,
            self._velocities[place].value,
            learning_rate,
            self.iterations,
            self._constants,
        )

    def _parallel_update_step(self, grads, variables, learning_rate):
        # Under PyTorch, in place of `update_step`.
        weights = [variable.value for variable in variables]
        if self.amsgrad or weights[0].device.type != "cpu":
            super()._parallel_update_step(grads, variables, learning_rate)
            return
        places = [self._get_variable_index(variable) for variable in variables]
        momenta = [self._momentums[place].value for place in places]
        velocities = [self._velocities[place].value for place in places]
        fused_adam.on_torch(
            weights,
            grads,
            momenta,
            velocities,
            float(learning_rate),
            int(self.iterations),
            self._constants,
        )


@keras.saving.register_keras_serializable("keras_transformer")
class Adam(GradientTransform, FastAdam):
    """Keras's Adam, for one device and for several.

    It remembers the global norm of the last gradient, before any clipping, as
    `gradient_norm`.
    """

    def swap_moving_average(self):
        """Exchange the weights that learn and, with `use_ema`, their moving average.

        `keras.callbacks.SwapEMAWeights` rounds them under TensorFlow, and a training
        that is resumed must go on with the same bits.
        """
        averages = self._model_variables_moving_average
        for weight, average in zip(self._trainable_variables, averages, strict=True):
            learning = ops.copy(weight)
            weight.assign(average)
            average.assign(learning)


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

    Raises:
        ValueError: if a `WarmupSchedule` has another `gradient_accumulation_steps`, and
            so would count other updates than there are; or a limit of the gradients is
            not above 0, which would turn them round.

    Examples:
        >>> paper_adam(WarmupSchedule(d_model=512), global_clipnorm=1.0).beta_2
        0.98

    Source: Vaswani et al. 2017, section 5.3.
    """
    for name in ("clipnorm", "clipvalue", "global_clipnorm"):
        if options.get(name) is not None:
            expect_above_0(**{name: options[name]})
    if isinstance(schedule, WarmupSchedule):
        steps = options.get("gradient_accumulation_steps") or 1
        counted = schedule.gradient_accumulation_steps
        must = f"be the optimizer's {steps} in its WarmupSchedule"
        expect(counted == steps, "gradient_accumulation_steps", must, counted)
    return Adam(schedule, beta_1=0.9, beta_2=0.98, epsilon=1e-9, **options)
