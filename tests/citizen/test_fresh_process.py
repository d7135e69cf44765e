"""Save today, load tomorrow: in a fresh process, on this backend and on the others."""

import os
import pydoc
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from cases import ALONE, CONFIG, ids
from fresh import ORDERS
from keras import ops
from layer_checks import ON_TORCH, marked

import keras_transformer
from keras_transformer.config import TrainingConfig
from keras_transformer.layers.encoder_block import EncoderBlock
from keras_transformer.layers.multi_head_attention import MultiHeadAttention
from keras_transformer.layers.positional_embedding import PositionalEmbedding
from keras_transformer.models.encoder import Encoder
from keras_transformer.models.heads import masked_language_model, span_classifier
from keras_transformer.models.transformer import Transformer
from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.metrics import Perplexity, TokenAccuracy
from keras_transformer.training.optimizer import paper_adam
from keras_transformer.training.recipe import compile_for_training
from keras_transformer.training.schedule import WarmupSchedule

BACKENDS = ("jax", "tensorflow", "torch")
INPUTS = dict(source_ids=ids(4, 5), target_ids=ids(4, 3))
PAIRS = dict(INPUTS)
INPUTS |= dict(token_ids=ids(4, 5), token_types=ids(4, 5))
LABELS = ids(4, 3)


def compiled():
    model = compile_for_training(Transformer(CONFIG), TrainingConfig(warmup_updates=9))
    model.fit(PAIRS, LABELS, verbose=0)
    return model


def functional():
    """A tagger of a user's own, of our layers, with our loss, optimizer and metrics."""
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    x = PositionalEmbedding(11, 6, mask_zero=True)(source_ids)
    x = EncoderBlock(3, 5, 7)(x)
    x = MultiHeadAttention(3, 5)(x)
    model = keras.Model({"source_ids": source_ids}, keras.layers.Dense(11)(x))
    model.compile(
        paper_adam(WarmupSchedule(6)),
        LabelSmoothedCrossEntropy(ignore_class=0),
        weighted_metrics=[Perplexity(), TokenAccuracy(ignore_class=0)],
    )
    model.fit({"source_ids": INPUTS["source_ids"]}, ids(4, 5), verbose=0)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models that were saved, with what they gave."""
    folder = tmp_path_factory.mktemp("models")
    models = {
        "compiled": compiled(),
        "uncompiled": Transformer(CONFIG),
        "functional": functional(),
        "span": span_classifier(Encoder(ALONE)),
        "masked": masked_language_model(Encoder(ALONE)),
    }
    for name, model in models.items():
        arrays = {tensor.name: INPUTS[tensor.name] for tensor in model.inputs}
        model.save(folder / f"{name}.keras")
        output = ops.convert_to_numpy(model(arrays))
        states = model.optimizer.variables if model.compiled else ()
        states = [ops.convert_to_numpy(state) for state in states]
        named = {f"state_{n}": state for n, state in enumerate(states)}
        np.savez(folder / f"{name}.npz", output=output, **arrays, **named)
    return folder


def opened(order, backend, folder):
    program = Path(__file__).with_name("fresh.py")
    return subprocess.run(
        [sys.executable, program, order, folder],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )


def orders():
    """The one of most notebooks; the others, which take as long, are slow."""
    for order in ORDERS:
        marks = [] if order == "keras_first" else pytest.mark.slow
        yield pytest.param(order, marks=marks)


@marked(ON_TORCH)
@pytest.mark.parametrize("order", orders())
def test_in_whatever_order_the_packages_are_imported(order, folder):
    result = opened(order, keras.backend.backend(), folder)
    assert result.stdout == "opened\n", result.stderr[-2000:]


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "backend", [b for b in BACKENDS if b != keras.backend.backend()]
)
def test_on_another_backend(backend, folder):
    result = opened("ours_first", backend, folder)
    assert result.stdout == "opened\n", result.stderr[-2000:]


def test_an_import_of_the_package_starts_no_backend():
    code = "import sys, keras_transformer; print('keras' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


def test_every_public_name_is_seen():
    names = keras_transformer.__all__
    assert {"MultiHeadAttention", "Transformer", "train", "Run"} <= {*names}
    assert {*names} <= {*dir(keras_transformer)}
    for name in names:
        assert getattr(keras_transformer, name).__doc__, name
    namespace = {}
    exec("from keras_transformer import *", namespace)
    assert {*names} <= {*namespace}
    page = pydoc.plaintext.document(keras_transformer)
    assert all(name in page for name in names)
    assert "class MultiHeadAttention" in page
    stub = Path(keras_transformer.__file__).with_suffix(".pyi").read_text()
    assert all(f"import {name} as {name}" in stub for name in names)
