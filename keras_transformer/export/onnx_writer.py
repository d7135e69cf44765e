"""The child process of `export.onnx`, under TensorFlow: encoder and decoder as ONNX."""

from pathlib import Path

import tensorflow as tf
import tf2onnx

from keras_transformer.export.child_process import given_task
from keras_transformer.layers.masks import padding_mask
from keras_transformer.runs.run import Run

OPSET = 18
SOURCE_IDS = tf.TensorSpec((None, None), tf.int32, "source_ids")


def write(path, function, *specs):
    traced = tf.function(function, input_signature=specs, autograph=False)
    tf2onnx.convert.from_function(traced, specs, opset=OPSET, output_path=str(path))


def write_encoder(model, path):
    def encode(source_ids):
        mask = padding_mask(source_ids, model.config.pad_id)
        keys, values = zip(*model.decoder.cross_cache(model.encoder(source_ids, mask)))
        return {"cross_keys": tf.stack(keys), "cross_values": tf.stack(values)}

    write(path, encode, SOURCE_IDS)


def write_decoder(model, path):
    decoder = model.decoder

    def step(ids, index, source_ids, cross_keys, cross_values, self_keys, self_values):
        self_cache = tuple(zip(tf.unstack(self_keys), tf.unstack(self_values)))
        cross_cache = tuple(zip(tf.unstack(cross_keys), tf.unstack(cross_values)))
        mask = padding_mask(source_ids, model.config.pad_id)
        new_ids = tf.expand_dims(ids, 1)
        logits, cache = decoder.step(new_ids, self_cache, index, cross_cache, mask)
        keys, values = zip(*cache)
        return {
            "logits": logits[:, 0],
            "new_self_keys": tf.stack(keys),
            "new_self_values": tf.stack(values),
        }

    specs = [
        tf.TensorSpec((None,), tf.int32, "ids"),
        tf.TensorSpec((), tf.int32, "index"),
        SOURCE_IDS,
    ]
    attention = decoder.blocks[0].cross_attention
    sizes = {"keys": attention.key_dim, "values": attention.value_dim}
    for owner in ("cross", "self"):
        for kind, size in sizes.items():
            shape = (len(decoder.blocks), None, attention.num_heads, None, size)
            specs.append(tf.TensorSpec(shape, tf.float32, f"{owner}_{kind}"))
    write(path, step, *specs)


def main():
    run, out = given_task()
    model = Run.open(run).model("float32")
    write_encoder(model, Path(out) / "encoder.onnx")
    write_decoder(model, Path(out) / "decoder.onnx")


if __name__ == "__main__":
    main()
