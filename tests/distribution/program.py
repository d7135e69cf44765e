"""Train the same model on one device and as the arguments say; print how far weights and logs are apart, as JSON.

python program.py HOW MODEL_DEVICES LOGICAL_DEVICES RECIPE...
"""

import json
import sys

import keras
import numpy as np

import keras_transformer.data.batches
from keras_transformer import (
    DataConfig,
    LabelSmoothedCrossEntropy,
    Perplexity,
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
# silu has no kink: at that of a ReLU, rounding alone may change a gradient.
SIZES = dict(
    encoder_layers=1,
    decoder_layers=1,
    d_model=16,
    d_ff=16,
    num_heads=4,
    activation="silu",
    dropout=0.0,
)


class SGD(GradientTransform, keras.optimizers.SGD):
    """Any of Keras's optimizers can be distributed so."""


def adam(**options):
    return paper_adam(WarmupSchedule(16, 50), global_clipnorm=0.05, **options)


def optimizer_of(recipe):
    if recipe == "sgd":
        return SGD(0.05)
    if recipe == "accumulated":
        return adam(gradient_accumulation_steps=2)
    return LossScaleOptimizer(adam()) if recipe == "half" else adam()


DTYPES = {"mixed": "mixed_bfloat16", "half": "mixed_float16"}


def trained(distribution, recipe, initial):
    """The weights and logs after training, the weights before it, and the model."""
    keras.utils.set_random_seed(1)
    steps = 2 if recipe == "accumulated" else 1
    sizes = dict(source_vocab_size=16, target_vocab_size=16)
    with distribution.scope():
        dtype = DTYPES.get(recipe, "float32")
        model = Transformer(preset("tiny", **SIZES, **sizes), dtype=dtype)
        metrics = [TokenCrossEntropy(), Perplexity(), TokenAccuracy()]
        jit = keras.backend.backend() == "jax"
        model.compile(
            optimizer_of(recipe),
            LabelSmoothedCrossEntropy(),
            weighted_metrics=metrics,
            jit_compile=jit,
        )
        model.set_weights(initial or model.get_weights())
        initial = initial or model.get_weights()
        distribution.prepare(model)
        shard = dict(shard=distribution.shard, config=DataConfig(max_ratio=100))
        batches = TokenBatches.from_lines(
            LINES,
            LINES[::-1],
            TOKENIZER,
            batch_tokens=256,
            seed=3,
            accumulation=steps,
            **shard,
        )
        held_out = TokenBatches.from_lines(
            LINES[:50], LINES[:50], TOKENIZER, batch_tokens=256, shuffle=False, **shard
        )
        fitted = model.fit(
            batches,
            steps_per_epoch=UPDATES * steps,
            validation_data=held_out,
            shuffle=False,
            verbose=0,
        )
    return (
        distribution.arrays(model.trainable_variables),
        fitted.history,
        initial,
        model,
    )


def largest_difference(ones, others):
    return float(
        max(np.abs(one - other).max() for one, other in zip(ones, others, strict=True))
    )


def main(how, model_devices, logical_devices, *recipes):
    if keras.backend.backend() == "tensorflow" and int(logical_devices) > 1:
        import tensorflow as tf

        (processor,) = tf.config.list_physical_devices("CPU")
        logical = [tf.config.LogicalDeviceConfiguration()] * int(logical_devices)
        tf.config.set_logical_device_configuration(processor, logical)
    distribution = distribute(how, int(model_devices) or None)
    found, initial = (
        {"distribution": str(distribution), "shard": distribution.shard},
        None,
    )
    for name in recipes:
        weights, logs, initial, _ = trained(ONE_DEVICE, name, initial)
        others, other_logs, _, model = trained(distribution, name, initial)
        logs, other_logs = (
            [np.array(values) for _, values in sorted(each.items())]
            for each in (logs, other_logs)
        )
        found[name] = {
            "weights": largest_difference(weights, others),
            "logs": largest_difference(logs, other_logs),
        }
        found[name]["sum"] = [float(array.sum(dtype="float64")) for array in others]
    if how == "model":
        found["shards"] = {
            variable.path: [
                list(shard.data.shape) for shard in variable.value.addressable_shards
            ]
            for variable in [*model.trainable_variables, *model.optimizer.variables]
        }
    if keras.backend.backend() == "tensorflow" and distribution.devices > 1:
        states = [
            variable.value.values
            for variable in model.variables
            if "seed_generator" in variable.path
        ]
        found["seeds"] = [
            [replica.numpy().tolist() for replica in replicas] for replicas in states
        ]
    with distribution.local(model) as local:
        translations = Translator(local, TOKENIZER)(["a b c", "d e", "f"])
    found["translations"] = distribution.gather(translations)
    print(json.dumps(found))


main(*sys.argv[1:])
