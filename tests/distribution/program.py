"""Train the same model on one device and as the arguments say.

Prints how far weights and logs are apart, as JSON.

python program.py HOW MODEL_DEVICES LOGICAL_DEVICES RECIPE...
"""

import json
import sys

import keras
import numpy as np

import keras_transformer.data.batches
from keras_transformer import (
    DataConfig,
    DecodingConfig,
    LabelSmoothedCrossEntropy,
    Perplexity,
    RDropCrossEntropy,
    TokenAccuracy,
    TokenBatches,
    TokenCrossEntropy,
    Tokenizer,
    Transformer,
    Translator,
    WarmupSchedule,
    preset,
)
from keras_transformer.distribution.distribute import distribute
from keras_transformer.distribution.distribution import ONE_DEVICE
from keras_transformer.training.optimizer import (
    GradientTransform,
    LossScaleOptimizer,
    paper_adam,
)

UPDATES = 20
# One shape to compile.
keras_transformer.data.batches.bucket_edges = lambda longest: (longest,)

# Lengths from 1 to 29: the devices' shares of a batch hold very different numbers of
# real tokens.
random = np.random.default_rng(0)
LINES = [
    " ".join(random.choice(list("abcdefgh"), random.integers(1, 30)))
    for _ in range(400)
]
TOKENIZER = Tokenizer.train(LINES, vocab_size=16)
CONFIG = preset(
    "tiny",
    source_vocab_size=16,
    target_vocab_size=16,
    encoder_layers=1,
    decoder_layers=1,
    d_model=16,
    d_ff=16,
    num_heads=4,
    # It has no kink: at that of a ReLU, rounding alone may change a gradient.
    activation="silu",
    dropout=0.0,
)
DTYPES = {"mixed": "mixed_bfloat16", "half": "mixed_float16"}


class SGD(GradientTransform, keras.optimizers.SGD):
    """So any of Keras's optimizers can be distributed."""


def adam(**options):
    steps = options.get("gradient_accumulation_steps", 1)
    schedule = WarmupSchedule(16, 50, gradient_accumulation_steps=steps)
    return paper_adam(schedule, global_clipnorm=0.05, **options)


def optimizer_of(recipe):
    if recipe == "sgd":
        return SGD(0.05)
    if recipe == "accumulated":
        return adam(gradient_accumulation_steps=2)
    if recipe == "regularised":
        return adam(use_ema=True, ema_momentum=0.5)
    return LossScaleOptimizer(adam()) if recipe == "half" else adam()


def trained(distribution, recipe, initial):
    """The model after training, its logs, and the weights before it."""
    keras.utils.set_random_seed(1)
    steps = 2 if recipe == "accumulated" else 1
    passes = 2 if recipe == "regularised" else 1
    loss = RDropCrossEntropy if passes == 2 else LabelSmoothedCrossEntropy
    options = dict(batch_tokens=256, shard=distribution.shard, passes=passes)
    options |= dict(config=DataConfig(max_ratio=100))
    with distribution.scope():
        model = Transformer(CONFIG, dtype=DTYPES.get(recipe, "float32"))
        model.compile(
            optimizer_of(recipe),
            loss(reduction="sum"),
            weighted_metrics=[TokenCrossEntropy(), Perplexity(), TokenAccuracy()],
            jit_compile=keras.backend.backend() == "jax",
        )
        model.set_weights(initial or model.get_weights())
        initial = initial or model.get_weights()
        distribution.prepare(model)
        batches = TokenBatches.from_lines(
            LINES, LINES[::-1], TOKENIZER, seed=3, accumulation=steps, **options
        )
        held_out = TokenBatches.from_lines(
            LINES[:50], LINES[:50], TOKENIZER, shuffle=False, **options
        )
        fitted = model.fit(
            batches,
            steps_per_epoch=UPDATES * steps,
            validation_data=held_out,
            shuffle=False,
            verbose=0,
        )
    logs = [np.array(values) for _, values in sorted(fitted.history.items())]
    return model, logs, initial


def largest_difference(ones, others):
    pairs = zip(ones, others, strict=True)
    return float(max(np.abs(one - other).max() for one, other in pairs))


def main(how, model_devices, logical_devices, *recipes):
    if keras.backend.backend() == "tensorflow" and int(logical_devices) > 1:
        import tensorflow as tf

        (processor,) = tf.config.list_physical_devices("CPU")
        logical = [tf.config.LogicalDeviceConfiguration()] * int(logical_devices)
        tf.config.set_logical_device_configuration(processor, logical)
    distribution = distribute(how, int(model_devices) or None)
    found = {"shard": distribution.shard}
    initial = None
    for name in recipes:
        alone, logs, initial = trained(ONE_DEVICE, name, initial)
        model, other_logs, _ = trained(distribution, name, initial)
        expected = ONE_DEVICE.arrays(alone.trainable_variables)
        weights = distribution.arrays(model.trainable_variables)
        found[name] = {
            "weights": largest_difference(expected, weights),
            "logs": largest_difference(logs, other_logs),
            "sum": [float(array.sum(dtype="float64")) for array in weights],
        }
    if how == "model":
        found["shards"] = {
            variable.path: [
                list(shard.data.shape) for shard in variable.value.addressable_shards
            ]
            for variable in [*model.trainable_variables, *model.optimizer.variables]
        }
    if keras.backend.backend() == "tensorflow" and distribution.devices > 1:
        found["seeds"] = [
            [replica.numpy().tolist() for replica in variable.value.values]
            for variable in model.variables
            if "seed_generator" in variable.path
        ]
    with distribution.local(model) as local:
        search = DecodingConfig(search="greedy", extra_length=2)
        translator = Translator(local, TOKENIZER, config=search)
        translations = translator(["a b c", "d e", "f"])
    found["translations"] = distribution.gather(translations)
    print(json.dumps(found))


main(*sys.argv[1:])
