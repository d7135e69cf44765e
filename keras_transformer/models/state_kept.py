"""Weights that stay when `fit`, `evaluate` or `predict` fails or is interrupted."""

import contextlib

import keras


@keras.saving.register_keras_serializable("keras_transformer")
class StateKept(keras.Model):
    """A model that has its weights whatever ends its `fit`, `evaluate` or `predict`.

    On JAX Keras takes the values out of the variables for as long as steps are
    computed. An error in a step, or Ctrl-C in a notebook, would leave none.

    Args: those of `keras.Model`.
    """

    def _get_jax_state(self, purge_model_variables=False, **groups):
        # What a step uses up is gone in any case; so keeping the rest costs nothing.
        return super()._get_jax_state(**groups)

    def evaluate(self, *args, **kwargs):
        with self._state_given_back():
            return super().evaluate(*args, **kwargs)

    def predict(self, *args, **kwargs):
        with self._state_given_back():
            return super().predict(*args, **kwargs)

    @contextlib.contextmanager
    def _state_given_back(self):
        """Afterwards the variables have the values that the last step gave.

        Keras's `fit` sees to that by itself.
        """
        try:
            yield
        except BaseException:
            if keras.backend.backend() == "jax":
                self.jax_state_sync()
                # The next call must not take it for its own.
                self._jax_state = None
            raise
