"""The child process of `export.onnx`, under TensorFlow: traces encoder and decoder, and has them converted."""

from pathlib import Path

import tensorflow as tf
import tf2onnx

from keras_transformer.export.child_process import task
from keras_transformer.layers.masks import padding_mask
from keras_transformer.runs.run import Run

OPSET = 18


def functions(model):
    """The encoder and the decoder as functions of arrays, each with its signature."""
    decoder, attention = model.decoder, model.decoder.blocks[0].cross_attention

    def cache_spec(name, rows, size):
        return tf.TensorSpec(
            (len(decoder.blocks), rows, attention.num_heads, None, size),
            tf.float32,
            name,
        )

    def encode(source_ids):
        memory = model.encoder(
            source_ids, padding_mask(source_ids, model.config.pad_id)
        )
        keys, values = zip(*decoder.cross_cache(memory))
        return {"cross_keys": tf.stack(keys), "cross_values": tf.stack(values)}

    def step(ids, index, source_ids, cross_keys, cross_values, self_keys, self_values):
        caches = [
            tuple(zip(*map(tf.unstack, pair)))
            for pair in ((self_keys, self_values), (cross_keys, cross_values))
        ]
        # Its keys and values are in the cache.
        memory = tf.zeros((1, 1, model.config.d_model))
        source_mask = padding_mask(source_ids, model.config.pad_id)
        logits, (cache, _) = decoder(ids[:, None], memory, source_mask, caches, index)
        keys, values = zip(*cache)
        return {
            "logits": logits[:, 0],
            "new_self_keys": tf.stack(keys),
            "new_self_values": tf.stack(values),
        }

    source_spec = tf.TensorSpec((None, None), tf.int32, "source_ids")
    step_specs = (
        tf.TensorSpec((None,), tf.int32, "ids"),
        tf.TensorSpec((), tf.int32, "index"),
        source_spec,
        cache_spec("cross_keys", None, attention.key_dim),
        cache_spec("cross_values", None, attention.value_dim),
        cache_spec("self_keys", None, attention.key_dim),
        cache_spec("self_values", None, attention.value_dim),
    )
    return {"encoder": (encode, (source_spec,)), "decoder": (step, step_specs)}


def main():
    with task() as given:
        for name, (function, specs) in functions(
            Run.open(given["run"]).model("float32")
        ).items():
            traced = tf.function(function, input_signature=specs, autograph=False)
            tf2onnx.convert.from_function(
                traced,
                specs,
                opset=OPSET,
                output_path=str(Path(given["out"]) / f"{name}.onnx"),
            )


if __name__ == "__main__":
    main()
