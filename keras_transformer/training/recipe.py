"""The paper's recipe: a model with its optimizer, schedule, loss and metrics."""

import keras

from ..config import TrainingConfig, expect_kind
from ..models.configured_model import ConfiguredModel
from .fused import FusedLoss
from .loss import LabelSmoothedCrossEntropy
from .metrics import Perplexity, TokenAccuracy, TokenCrossEntropy
from .optimizer import LossScaleOptimizer, paper_adam
from .r_drop import RDropCrossEntropy
from .schedule import WarmupSchedule


def compile_for_training(
    model, training=None, loss_reduction="mean_with_sample_weight"
):
    """Compile a model with the paper's recipe: Adam, warm-up, smoothed loss.

    `model.fit` then takes arrays, a `tf.data.Dataset`, a `DataLoader`, a `PyDataset` or
    a generator of `(inputs, labels)` or `(inputs, labels, weights)`. Labels that are
    padding do not count. The metrics are the cross entropy in nats per real target
    token (`nats`, not smoothed), the perplexity and the accuracy.

    Args:
        model: a `Transformer` or a `CausalLM`.
        training: a `TrainingConfig`; the paper's when absent. What it says of epochs,
            checkpoints, LoRA and data types is not for `compile`. With its `r_drop`
            each row must stand twice in a batch: see `RDropCrossEntropy`.
        loss_reduction: `"sum"` for batches that carry the weights `real / number of
            real target tokens`, as those of `TokenBatches` do; otherwise the loss is
            the mean over the real target tokens of a batch.

    Returns:
        the model.

    Examples:
        >>> config = preset("tiny", source_vocab_size=11, target_vocab_size=11)
        >>> model = compile_for_training(Transformer(config))
        >>> inputs = {"source_ids": np.ones((8, 3)), "target_ids": np.ones((8, 4))}
        >>> history = model.fit(inputs, np.ones((8, 4)), verbose=0)

    Source: Vaswani et al. 2017, section 5.
    """
    expect_kind("model", model, ConfiguredModel)
    if training is None:
        training = TrainingConfig()
    expect_kind("training", training, TrainingConfig)
    options = compile_options(model.config, training, loss_reduction)
    if model.dtype_policy.name == "mixed_float16":
        # The one that Keras would make could not be distributed.
        options["optimizer"] = LossScaleOptimizer(options["optimizer"])
    model.compile(**options)
    if loss_reduction == "sum":
        model.loss_of_states = FusedLoss(options["loss"], options["weighted_metrics"])
    return model


def compile_options(config, training, loss_reduction="mean_with_sample_weight"):
    """The arguments of `compile` for a model's config and a `TrainingConfig`."""
    steps = training.gradient_accumulation
    padding = config.pad_id
    schedule = WarmupSchedule(
        config.d_model, training.warmup_updates, training.learning_rate_scale, steps
    )
    averaging = {}
    if training.ema_momentum is not None:
        averaging = {"use_ema": True, "ema_momentum": training.ema_momentum}
    optimizer = paper_adam(
        schedule,
        weight_decay=training.weight_decay,
        global_clipnorm=training.clip_norm,
        gradient_accumulation_steps=steps if steps > 1 else None,
        **averaging,
    )
    if training.r_drop:
        loss = RDropCrossEntropy(
            training.r_drop,
            training.label_smoothing,
            ignore_class=padding,
            reduction=loss_reduction,
        )
    else:
        loss = LabelSmoothedCrossEntropy(
            training.label_smoothing, ignore_class=padding, reduction=loss_reduction
        )
    kinds = (TokenCrossEntropy, Perplexity, TokenAccuracy)
    return dict(
        optimizer=optimizer,
        loss=loss,
        weighted_metrics=[kind(ignore_class=padding) for kind in kinds],
        # XLA is JAX's own compiler; under the others a plain graph or eager run starts
        # sooner and is as fast, once `in_one_pass` took what XLA is good at.
        jit_compile=keras.backend.backend() == "jax",
    )
