"""What the TPU's compiler makes of small models, for chips that are not there.

    python for_a_tpu.py

Prints one JSON object, with an entry for each of the functions below.
"""

import json
from unittest import mock

import jax
import keras
import numpy as np

from benchmarks import formulas
from keras_transformer.config import DecodingConfig, TrainingConfig, TransformerConfig
from keras_transformer.decoding.loop import run
from keras_transformer.decoding.translation_search import TranslationSearch
from keras_transformer.distribution import training_step
from keras_transformer.distribution.on_jax import OnJax
from keras_transformer.layers.masks import padding_mask
from keras_transformer.models.kinds import model_of

ROWS = 64
LENGTH = 128
SMALL = TransformerConfig(
    source_vocab_size=512,
    target_vocab_size=512,
    encoder_layers=1,
    decoder_layers=1,
    d_model=128,
    d_ff=256,
    num_heads=4,
)
TRAINING = TrainingConfig(dtype="mixed_bfloat16")
DEVICES = training_step.described_devices("v5e", [2, 2])
COUNTS = 64  # bytes of numbers that are no gradients


def lowered(how):
    engine = OnJax(how, None, DEVICES)
    return training_step.lowered_step(SMALL, TRAINING, engine, ROWS, LENGTH)


def step(how):
    """What a training step needs, what it exchanges, what its kernels are."""
    found, state = lowered(how)
    program = found.compile()
    needed = training_step.needs(program, state, DEVICES)
    exchanged = training_step.collectives(program.as_text(), len(DEVICES))
    cut = []
    for array in jax.tree.leaves(state):
        if len(array.shape) == 2:
            cut.append([array.shape, array.sharding.shard_shape(array.shape)])
    tokens = ROWS * LENGTH
    bound = formulas.temporary_bytes(SMALL, tokens, LENGTH, len(DEVICES))
    large = training_step.collectives(large_lines(program.as_text()), len(DEVICES))
    return dict(
        needed,
        kinds=sorted({one.kind for one in exchanged}),
        reductions=sum(one.count for one in large),
        matrices=cut,
        temporary_bound=bound,
    )


def large_lines(text):
    """The instructions of a program whose results are more than some counts."""
    lines = text.splitlines()
    kept = [line for line in lines if size_of(line) > COUNTS]
    return "\n".join(kept)


def size_of(line):
    found = training_step.collectives(line, len(DEVICES))
    return sum(one.result_bytes for one in found)


def kernels():
    """Whether a step is lowered alike where Keras finds a TPU, and where not."""
    here = lowered("data")[0].as_text()
    with mock.patch("jax.devices", return_value=DEVICES):
        there = lowered("data")[0].as_text()
    return here == there


def compiled_texts(beam):
    """Whether encoder and search compile; the loops of the search."""
    model = model_of(SMALL)
    (device, *_) = DEVICES
    place = jax.sharding.SingleDeviceSharding(device)

    def described(shape, dtype):
        return jax.ShapeDtypeStruct(shape, dtype, sharding=place)

    values = [described(one.shape, one.dtype) for one in model.variables]
    ids = described((8, 16), "int32")

    def search(values, ids, most):
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            task = TranslationSearch(model, DecodingConfig(beam=beam))
            request, state = task.begin(ids, most)
            state = run(task.search, request, state, task.lengths(ids))
            return task.search.result(state)

    def encode(values, ids):
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return model.encoder(ids, padding_mask(ids, SMALL.pad_id))

    most = described((8,), "int32")
    searched = jax.jit(search).lower(values, ids, most).compile().as_text()
    encoded = jax.jit(encode).lower(values, ids).compile().as_text()
    return searched.count(" while("), encoded.count(" while(")


def main():
    printed = {how: step(how) for how in ("data", "model")}
    printed["same kernels"] = kernels()
    printed["search"] = {beam: compiled_texts(beam) for beam in (1, 4)}
    print(json.dumps(printed, default=np.ndarray.tolist))


if __name__ == "__main__":
    main()
