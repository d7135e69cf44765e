"""Text generation: a decoder without memory learns the captions, and goes on with one.

The score on held-out captions is the perplexity of a token:

    python examples/generate_text.py EPOCHS
"""

import gzip
import sys

import keras
import numpy as np

from keras_transformer import (
    Decoder,
    LabelSmoothedCrossEntropy,
    Perplexity,
    Tokenizer,
    captions,
)
from keras_transformer.config import CausalLMConfig

LENGTH = 24
PAD, BEGIN, END = 0, 2, 3  # the ids that no text can spell


def read(split, count=None):
    with gzip.open(captions(split)[0], "rt", encoding="utf-8") as lines:
        return lines.read().splitlines()[:count]


def shifted(tokenizer, texts):
    rows = [[BEGIN, *row, END] for row in tokenizer.encode(texts)]
    ids = keras.utils.pad_sequences(rows, LENGTH + 1, padding="post", truncating="post")
    return ids[:, :-1], ids[:, 1:]


def build_model(vocab_size):
    sizes = dict(d_model=128, d_ff=256, num_heads=4, num_layers=2)
    config = CausalLMConfig(vocab_size=vocab_size, norm_first=True, **sizes)
    ids = keras.Input((LENGTH,), dtype="int32")
    return keras.Model(ids, Decoder(config)(ids))


def continued(model, tokenizer, prompt, random):
    """The prompt and what follows, each token drawn by its probability."""
    ids = np.full((1, LENGTH), PAD)
    tokens = [BEGIN, *tokenizer.encode([prompt])[0]]
    while len(tokens) < LENGTH and tokens[-1] != END:
        ids[0, : len(tokens)] = tokens
        logits = keras.ops.convert_to_numpy(model(ids))[0, len(tokens) - 1]
        weights = np.exp(logits.astype("float64") - logits.max())
        tokens.append(int(random.choice(len(weights), p=weights / weights.sum())))
    return tokenizer.decode([[one for one in tokens if one not in (BEGIN, END)]])[0]


def main(epochs, count=None):
    texts = read("train", count)
    tokenizer = Tokenizer.train(texts, vocab_size=800)
    model = build_model(tokenizer.vocab_size)
    model.compile(
        keras.optimizers.Adam(0.002),
        LabelSmoothedCrossEntropy(0.0, ignore_class=PAD),
        weighted_metrics=[Perplexity(ignore_class=PAD)],
    )
    model.fit(*shifted(tokenizer, texts), batch_size=64, epochs=epochs, verbose=2)
    random = np.random.default_rng(1)
    for prompt in ("A young", "At the zoo,", "The"):
        print(continued(model, tokenizer, prompt, random))
    held_out = model.evaluate(*shifted(tokenizer, read("test")), verbose=0)
    print(f"perplexity {held_out[1]:.2f} on the test captions")


if __name__ == "__main__":
    main(int(sys.argv[1]))
