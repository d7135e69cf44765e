"""Runs of small models, trained for seconds on a toy language: word by word."""

import itertools
import math

import keras
import numpy as np
import pytest

from keras_transformer.config import DataConfig, TrainingConfig, TransformerConfig
from keras_transformer.data.batches import TokenBatches
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.text.tokenizer import Tokenizer
from keras_transformer.training.loss import LabelSmoothedCrossEntropy

# Two are text that looks like symbols.
WORDS = (
    "a man woman child dog rides sees the red blue bike horse in near of house "
    "garden tree big </s>"
).split()
OTHERS = (
    "ein Mann Frau Kind Hund fährt sieht das rote blaue Rad Pferd im nahe von Haus "
    "Garten Baum groß <unk>"
).split()
SEARCH = dict(beam=3, extra_length=7, max_source_length=60)
SIZES = dict(
    encoder_layers=2, decoder_layers=1, d_model=32, d_ff=53, num_heads=4, dropout=0.0
)


def sentences(count, seed=0, longest=8):
    random = np.random.default_rng(seed)
    return [
        " ".join(random.choice(WORDS, random.integers(1, longest)))
        for _ in range(count)
    ]


def translation(text):
    return " ".join(OTHERS[WORDS.index(word)] for word in text.split())


def is_clear(hypotheses):
    """Whether another processor cannot choose otherwise: no two are nearly tied.

    One alone, with token scores, has more than half of the probability at each token.
    """
    if len(hypotheses) == 1:
        return min(hypotheses[0].token_scores, default=0) > math.log(0.51)
    pairs = itertools.pairwise(hypotheses)
    return all(better.score - worse.score > 1e-3 for better, worse in pairs)


def clear_sentences(translator, count, seed=0):
    """Sentences whose hypotheses are clear."""
    texts = sentences(3 * count, seed)
    one = translator.config.n_best == 1
    found = translator.hypotheses(texts, token_scores=one)
    clear = [text for text, rows in zip(texts, found) if is_clear(rows)]
    assert len(clear) >= count
    return clear[:count]


def make_run(run, epochs=9, dtype="float32", byte_fallback=False, **changes):
    """A run directory as `train` leaves it, as far as exports read it."""
    keras.utils.set_random_seed(1)
    sources = sentences(1500)
    targets = [translation(text) for text in sources]
    size = 150 + 256 * byte_fallback
    tokenizer = Tokenizer.train(
        sources + targets, vocab_size=size, byte_fallback=byte_fallback
    )
    tokenizers = (tokenizer, tokenizer)
    if not changes.get("share_embeddings", True):
        tokenizers = (
            Tokenizer.train(sources, vocab_size=90),
            Tokenizer.train(targets, vocab_size=101),
        )
    vocabularies = dict(
        zip(
            ("source_vocab_size", "target_vocab_size"),
            (t.vocab_size for t in tokenizers),
        )
    )
    model = Transformer(
        TransformerConfig(**{**SIZES, **vocabularies, **changes}), dtype=dtype
    )
    # One width: each more would be compiled anew.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "keras_transformer.data.batches.bucket_edges", lambda longest: (longest,)
        )
        batches = TokenBatches.from_lines(
            sources, targets, *tokenizers, batch_tokens=2000
        )
        model.compile(keras.optimizers.Adam(6e-3), LabelSmoothedCrossEntropy())
        model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    run.mkdir()
    config = RunConfig(model.config, DataConfig(), TrainingConfig(dtype=dtype))
    Run.begin(run, config, tokenizers).save_model(model)
    return run
