"""The base class of the functional models: LoRA, saving, their configuration."""

import contextlib

import keras

from ..config import config_from, expect
from .decoder import GIVES_STATES
from .state_kept import StateKept
from .untuned import arguments_untuned


class ConfiguredModel(StateKept):
    """A functional model of one `ConfiguredLayer`, which a config describes.

    A subclass has `blocks`, all those of its stacks, and a `decoder`.
    """

    lora_rank = None  # that of `enable_lora`
    loss_of_states = None  # a `FusedLoss` in place of what was compiled

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.config = layer.config
        # `compile` reads from it whether the loss needs scaling.
        self.dtype_policy = layer.dtype_policy

    def rematerialized_call(self, layer_call, *args, **kwargs):
        return layer_call  # as in `ConfiguredLayer`

    def compile(self, *args, **kwargs):
        self.loss_of_states = None
        super().compile(*args, **kwargs)

    def compile_from_config(self, config):
        # Keras leaves a model alone that has a `compile` of its own.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def make_train_function(self, force=False):
        strategy = getattr(self, "distribute_strategy", None)
        if strategy is not None and not self.optimizer.built:
            # TensorFlow would trace a step again that makes the optimizer's variables.
            with strategy.scope():
                self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def fit(self, *args, **kwargs):
        """Train as `keras.Model.fit` does; tokens are weighed by `sample_weight`.

        Raises:
            ValueError: if there is a `class_weight`, which Keras would look up by one
                token of each sentence.
        """
        given = arguments_untuned("fit", args, kwargs)
        class_weight = given["class_weight"]
        must = "be absent; sample_weight (B, T) weighs tokens"
        expect(class_weight is None, "class_weight", must, class_weight)
        return super().fit(**given)

    def evaluate(self, *args, **kwargs):
        return super().evaluate(**arguments_untuned("evaluate", args, kwargs))

    def predict(self, *args, **kwargs):
        return super().predict(**arguments_untuned("predict", args, kwargs))

    def train_step(self, *args):
        with self._states_for_loss():
            return super().train_step(*args)

    def test_step(self, *args):
        with self._states_for_loss():
            return super().test_step(*args)

    @contextlib.contextmanager
    def _states_for_loss(self):
        """Within, the model gives its decoder's states if its loss is made of them."""
        before = GIVES_STATES.set(self.decoder if self._learns_by_states else None)
        try:
            yield
        finally:
            GIVES_STATES.reset(before)

    @property
    def _learns_by_states(self):
        """Whether the loss is made of the decoder's states, without logits."""
        kind = type(self)
        # A user's own methods expect logits.
        is_ours = (
            kind.compute_loss is ConfiguredModel.compute_loss
            and kind.compute_metrics is ConfiguredModel.compute_metrics
        )
        has_loss = self.loss_of_states is not None
        return has_loss and is_ours and self.decoder.has_plain_projection

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        if GIVES_STATES.get() is not self.decoder:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        projection = self.decoder.projection()
        loss = self.loss_of_states(y, y_pred, projection, sample_weight, training)
        for added in self.losses:
            loss = loss + keras.ops.sum(added)
        return loss

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if GIVES_STATES.get() is self.decoder:
            # The loss has updated them. They are asked about no rows.
            y = y[:0]
            y_pred = keras.ops.zeros((*keras.ops.shape(y), self.decoder.classes))
            sample_weight = None
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def enable_lora(self, rank):
        """Freeze all weights, and let two small matrices learn beside blocks' kernels.

        `W + A B`, with `W (I, O)` frozen, `A (I, rank)` random and `B (rank, O)` zero
        at first. Compile the model afterwards. It is saved as `W + A B`, without LoRA.

        Args:
            rank: the width of A and the height of B, d_model at most.

        Raises:
            ValueError: if the rank is out of range, or there is LoRA already.

        Examples:
            >>> config = preset("tiny", source_vocab_size=11, target_vocab_size=11)
            >>> model = Transformer(config)
            >>> model.enable_lora(2)
            >>> len(model.trainable_variables)  # of 8 blocks with 4, 4 and 2 kernels
            128

        Source: Hu et al. 2021, section 4.1; beside all kernels, as in Dettmers et al.
        2023 (QLoRA), section 4.
        """
        most = self.config.d_model
        is_rank = isinstance(rank, int) and 1 <= rank <= most
        expect(is_rank, "lora_rank", f"be between 1 and d_model={most}", rank)
        layers = [layer for block in self.blocks for layer in block._flatten_layers()]
        kernels = [layer for layer in layers if isinstance(layer, keras.layers.Dense)]
        with_lora = [layer.path for layer in kernels if layer.lora_enabled]
        expect(not with_lora, "the model", "have no LoRA yet", with_lora)
        frozen = self.variables
        for layer in kernels:
            layer.enable_lora(rank)
        for variable in frozen:
            variable.trainable = False
        self.lora_rank = rank

    def export(self, filepath, format="tf_saved_model", **options):
        """Write the forward pass as `keras.Model.export` does, where that is right.

        `keras_transformer.export` writes a run, with search and tokenizer.

        Raises:
            ValueError: on the torch backend, whose exports have static shapes only.
        """
        if keras.backend.backend() == "torch":
            raise ValueError(
                f"format={format!r} cannot be written on the torch backend, where "
                "lengths would be fixed: save the model, then load and export it with "
                "KERAS_BACKEND=tensorflow, or call keras_transformer.export on a run"
            )
        super().export(filepath, format=format, **options)

    def get_config(self):
        layer = self.layers[-1].get_config()
        return {
            "config": layer["config"],
            "dtype": layer["dtype"],
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**{**config, "config": config_from(config["config"])})
