"""The paper's recipe: a model with its optimizer, schedule, loss and metrics."""

import keras

from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.metrics import (
    Perplexity,
    TokenAccuracy,
    TokenCrossEntropy,
)
from keras_transformer.training.optimizer import paper_adam
from keras_transformer.training.schedule import WarmupSchedule


def compile_for_training(model, training):
    """Compile a `Transformer` with the recipe of a `TrainingConfig`; give the model."""
    steps = training.gradient_accumulation
    schedule = WarmupSchedule(
        model.config.d_model,
        training.warmup_updates,
        training.learning_rate_scale,
        steps,
    )
    optimizer = paper_adam(
        schedule,
        weight_decay=training.weight_decay,
        global_clipnorm=training.clip_norm,
        gradient_accumulation_steps=steps if steps > 1 else None,
    )
    model.compile(
        optimizer,
        LabelSmoothedCrossEntropy(training.label_smoothing),
        weighted_metrics=[TokenCrossEntropy(), Perplexity(), TokenAccuracy()],
        # XLA is JAX's own compiler; under the others a plain graph or eager run starts
        # sooner and is as fast.
        jit_compile=keras.backend.backend() == "jax",
    )
    return model
