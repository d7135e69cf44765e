"""What a training learns, from micro-batches and from digits."""

import dataclasses

import keras
import numpy as np
import pytest
from layer_checks import ON_TORCH, marked
from small import MODEL, lines_of

from keras_transformer import Translator
from keras_transformer.config import DecodingConfig, preset
from keras_transformer.data.batches import TokenBatches
from keras_transformer.models.transformer import Transformer
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.loss import LabelSmoothedCrossEntropy
from keras_transformer.training.metrics import Perplexity, TokenAccuracy
from keras_transformer.training.optimizer import paper_adam
from keras_transformer.training.schedule import WarmupSchedule


@marked(ON_TORCH)
@pytest.mark.parametrize(
    "optimizer, options",
    # Adam divides by the gradients' size: its epsilon is far above their rounding
    # errors.
    [
        ("SGD", dict(learning_rate=0.5)),
        ("Adam", dict(learning_rate=0.01, epsilon=1e-2)),
    ],
)
def test_accumulated_micro_batches_equal_one_big_batch(corpus, optimizer, options):
    lines = [side[:24] for side in lines_of(corpus)]
    tokenizer = Tokenizer.train([*lines[0], *lines[1]], vocab_size=100)
    batches = TokenBatches.from_lines(
        *lines, tokenizer, batch_tokens=200, shuffle=False, accumulation=3
    )
    micro = [batches[i] for i in range(3)]
    width = max(labels.shape[1] for _, labels, _ in micro)
    # Of one width for the sake of time: each shape is compiled.
    micro = keras.tree.map_structure(
        lambda array: np.pad(array, [(0, 0), (0, width - array.shape[1])]), micro
    )
    big, labels, weights = keras.tree.map_structure(
        lambda *arrays: np.concatenate(arrays), *micro
    )
    weights = weights / 3
    assert weights.sum() == pytest.approx(1.0, rel=1e-5)

    results = []
    for steps, items in ((3, micro), (None, [(big, labels, weights)])):
        keras.utils.set_random_seed(1)
        model = Transformer(
            dataclasses.replace(
                MODEL, source_vocab_size=100, target_vocab_size=100, dropout=0.0
            )
        )
        made = getattr(keras.optimizers, optimizer)(
            **options, gradient_accumulation_steps=steps
        )
        model.compile(
            made,
            LabelSmoothedCrossEntropy(reduction="sum"),
            jit_compile=keras.backend.backend() == "jax",
        )
        before = model.get_weights()
        for x, y, w in items:
            model.train_on_batch(x, y, sample_weight=w)
        results.append(model.get_weights())
        assert (
            max(
                np.abs(new - old).max()
                for new, old in zip(results[-1], before, strict=True)
            )
            > 1e-3
        )
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def digits(count, seed):
    random = np.random.default_rng(seed)
    lines = [
        " ".join(map(str, random.integers(0, 10, random.integers(3, 6))))
        for _ in range(count)
    ]
    return lines, [line[::-1] for line in lines]


@pytest.mark.slow
def test_learns_to_reverse_digits_as_a_notebook_would(tmp_path):
    """compile, fit for seconds, evaluate, save, load_model: none of `train`."""
    keras.utils.set_random_seed(0)
    source, target = digits(1500, seed=0)
    tokenizer = Tokenizer.train(source, vocab_size=25)
    batches = TokenBatches.from_lines(
        source, target, tokenizer, batch_tokens=512, seed=1
    )
    config = preset(
        "tiny",
        source_vocab_size=25,
        target_vocab_size=25,
        encoder_layers=1,
        decoder_layers=1,
        d_model=48,
        d_ff=128,
        num_heads=4,
        dropout=0.0,
        norm_first=True,
    )
    model = Transformer(config)
    model.compile(
        paper_adam(WarmupSchedule(48, warmup_updates=60, scale=1.0)),
        LabelSmoothedCrossEntropy(),
        weighted_metrics=[TokenAccuracy(), Perplexity()],
        jit_compile=keras.backend.backend() == "jax",
    )
    model.fit(batches, epochs=30, shuffle=False, verbose=0)

    source, target = digits(100, seed=1)
    held_out = TokenBatches.from_lines(
        source, target, tokenizer, batch_tokens=512, shuffle=False
    )
    measured = model.evaluate(held_out, return_dict=True, verbose=0)
    assert measured["accuracy"] > 0.95 and measured["perplexity"] < 2.0

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(held_out, return_dict=True, verbose=0) == pytest.approx(
        measured, rel=1e-4
    )
    assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations)

    translations = Translator(
        loaded, tokenizer, config=DecodingConfig(search="greedy", extra_length=10)
    )(source)
    assert (
        np.mean([found == right for found, right in zip(translations, target)]) >= 0.9
    )
