"""What the examples of tasks have in common: the bundled captions, and text to text."""

import gzip
import tempfile
from pathlib import Path

from keras_transformer import (
    DataConfig,
    DecodingConfig,
    TrainingConfig,
    Translator,
    captions,
    preset,
    train,
)


def caption_lines(split, count=None):
    """The English and the German captions of a split, or the first of them."""
    sides = []
    for path in captions(split):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            sides.append(lines.read().splitlines()[:count])
    return sides


def learn(training, validation, epochs, vocab_size):
    """A `Translator` that learned pairs of source and target by `train`."""
    sizes = dict(encoder_layers=2, decoder_layers=2, norm_first=True, dropout=0.1)
    recipe = dict(warmup_updates=200, learning_rate_scale=0.5, average_last=1)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, pairs in (("train", training), ("valid", validation)):
            for side, lines in zip(("source", "target"), zip(*pairs)):
                files.append(Path(folder, f"{name}.{side}"))
                files[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
        train(
            Path(folder, "run"),
            *files,
            model=preset("tiny", **sizes),
            data=DataConfig(vocab_size=vocab_size, batch_tokens=1024, max_ratio=100.0),
            training=TrainingConfig(epochs=epochs, **recipe),
        )
        greedy = DecodingConfig(search="greedy", extra_length=100)
        return Translator.load(Path(folder, "run"), greedy)
