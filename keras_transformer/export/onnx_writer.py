"""The child process of `export.onnx`, under TensorFlow: encoder and decoder as ONNX."""

import tensorflow as tf
import tf2onnx

from ..layers.masks import padding_mask
from ..process.child_process import given_task
from ..runs.run import Run
from ..runs.work_folder import naming

OPSET = 18
SOURCE_IDS = tf.TensorSpec((None, None), tf.int32, "source_ids")


def write(path, function, *specs):
    traced = tf.function(function, input_signature=specs, autograph=False)
    tf2onnx.convert.from_function(traced, specs, opset=OPSET, output_path=path)


def write_encoder(model, path):
    def encode(source_ids):
        mask = padding_mask(source_ids, model.config.pad_id)
        memory = model.encoder(source_ids, mask)
        return stacked("cross", model.decoder.cross_cache(memory))

    write(path, encode, SOURCE_IDS)


def stacked(owner, cache):
    """The keys and the values of all blocks, each as one tensor."""
    keys, values = zip(*cache)
    return {f"{owner}_keys": tf.stack(keys), f"{owner}_values": tf.stack(values)}


def write_decoder(model, path):
    decoder = model.decoder

    def step(ids, index, source_ids, cross_keys, cross_values, self_keys, self_values):
        cache = tuple(zip(tf.unstack(self_keys), tf.unstack(self_values)))
        cross = tuple(zip(tf.unstack(cross_keys), tf.unstack(cross_values)))
        mask = padding_mask(source_ids, model.config.pad_id)
        logits, cache = decoder.step(ids[:, None], cache, index, cross, mask)
        return {"logits": logits[:, 0], **stacked("new_self", cache)}

    specs = [
        tf.TensorSpec((None,), tf.int32, "ids"),
        tf.TensorSpec((), tf.int32, "index"),
        SOURCE_IDS,
    ]
    attention = decoder.blocks[0].cross_attention
    shape = (len(decoder.blocks), None, attention.num_key_value_heads, None)
    sizes = {"keys": attention.key_dim, "values": attention.value_dim}
    for owner in ("cross", "self"):
        for kind, size in sizes.items():
            name = f"{owner}_{kind}"
            specs.append(tf.TensorSpec((*shape, size), tf.float32, name))
    write(path, step, *specs)


def main():
    run, out = given_task()
    model = Run.open(run).model("float32")
    with naming(out):
        write_encoder(model, f"{out}/encoder.onnx")
        write_decoder(model, f"{out}/decoder.onnx")


if __name__ == "__main__":
    main()
