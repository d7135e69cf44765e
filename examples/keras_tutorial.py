"""Keras's translation tutorial, written again with the layers of this package.

The tutorial's name is "English-to-Spanish translation with a sequence-to-sequence
Transformer". This script has its sizes: one block on each side, vectors of 256, 2,048
inside the feed-forward layers, 8 heads, batches of 64 sentences. It learns the bundled
captions and translates their test sentences:

    python examples/keras_tutorial.py EPOCHS
"""

import gzip
import sys

import keras
import numpy as np

from keras_transformer import (
    DecoderBlock,
    EncoderBlock,
    LabelSmoothedCrossEntropy,
    PositionalEmbedding,
    TokenAccuracy,
    Tokenizer,
    WarmupSchedule,
    captions,
    corpus_scores,
    paper_adam,
)

D_MODEL = 256
LENGTH = 24  # tokens of the longest sentence, with its end
# The ids that no text can spell.
PAD = 0
BEGIN = 2
END = 3


def read(split, pairs=None):
    sides = []
    for path in captions(split):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            sides.append(lines.read().splitlines()[:pairs])
    return sides


def padded(rows):
    ids = np.full((len(rows), LENGTH), PAD)
    for row, tokens in zip(ids, rows):
        tokens = tokens[:LENGTH]
        row[: len(tokens)] = tokens
    return ids


def examples(tokenizer, source, target):
    source_rows = tokenizer.encode(source)
    target_rows = tokenizer.encode(target)
    inputs = {
        "source_ids": padded(source_rows),
        "target_ids": padded([[BEGIN, *row] for row in target_rows]),
    }
    return inputs, padded([[*row, END] for row in target_rows])


def build_model(vocab_size):
    sizes = dict(num_heads=8, key_dim=D_MODEL // 8, d_ff=2048)
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    target_ids = keras.Input((None,), dtype="int32", name="target_ids")
    embedding = PositionalEmbedding(vocab_size, D_MODEL, mask_zero=True)
    memory = EncoderBlock(**sizes)(embedding(source_ids))
    x = DecoderBlock(**sizes)(embedding(target_ids), memory)
    logits = keras.layers.Dense(vocab_size)(x)
    inputs = {"source_ids": source_ids, "target_ids": target_ids}
    return keras.Model(inputs, logits)


def translate(model, tokenizer, sentences):
    source_ids = padded(tokenizer.encode(sentences))
    target_ids = np.full_like(source_ids, PAD)
    target_ids[:, 0] = BEGIN
    for position in range(1, LENGTH):
        inputs = {"source_ids": source_ids, "target_ids": target_ids}
        logits = model.predict(inputs, batch_size=100, verbose=0)
        target_ids[:, position] = np.argmax(logits[:, position - 1], axis=-1)
    return tokenizer.decode([before_end(row[1:]) for row in target_ids.tolist()])


def before_end(row):
    return row[: row.index(END)] if END in row else row


def main(epochs, pairs=None):
    source, target = read("train", pairs)
    tokenizer = Tokenizer.train(source + target, vocab_size=1200)
    model = build_model(tokenizer.vocab_size)
    model.compile(
        paper_adam(WarmupSchedule(D_MODEL, warmup_updates=400)),
        LabelSmoothedCrossEntropy(0.1, ignore_class=PAD),
        weighted_metrics=[TokenAccuracy(ignore_class=PAD)],
    )
    training = examples(tokenizer, source, target)
    validation = examples(tokenizer, *read("valid", pairs))
    model.fit(
        *training,
        batch_size=64,
        epochs=epochs,
        validation_data=validation,
        verbose=2,
    )
    source, target = read("test", pairs)
    translations = translate(model, tokenizer, source)
    for line in zip(source[:3], translations):
        print(*line, sep=" -> ")
    print(corpus_scores(translations, target))


if __name__ == "__main__":
    main(int(sys.argv[1]))
