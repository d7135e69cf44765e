"""Text generation: a decoder without memory learns the captions, and continues one.

The score on held-out captions is a token's perplexity: examples/generate_text.py EPOCHS
"""

import sys

import keras
import numpy as np
from texts import caption_lines

from keras_transformer import (
    CausalLMConfig,
    Decoder,
    LabelSmoothedCrossEntropy,
    Perplexity,
    Tokenizer,
)

LENGTH = 24
PAD, BEGIN, END = 0, 2, 3  # the ids that no text can spell


def shifted(tokenizer, texts):
    rows = [[BEGIN, *row, END] for row in tokenizer.encode(texts)]
    ids = keras.utils.pad_sequences(rows, LENGTH + 1, padding="post", truncating="post")
    return ids[:, :-1], ids[:, 1:]


def continued(model, tokenizer, prompt, random):
    """The prompt and what follows, each token drawn by its probability."""
    ids = np.full((1, LENGTH), PAD)
    tokens = [BEGIN, *tokenizer.encode([prompt])[0]]
    while len(tokens) < LENGTH and tokens[-1] != END:
        ids[0, : len(tokens)] = tokens
        logits = model.predict(ids, verbose=0)[0, len(tokens) - 1]
        weights = np.exp(logits.astype("float64") - logits.max())
        tokens.append(int(random.choice(len(weights), p=weights / weights.sum())))
    return tokenizer.decode([[one for one in tokens if one not in (BEGIN, END)]])[0]


def main(epochs, count=None):
    texts, _ = caption_lines("train", count)
    tokenizer = Tokenizer.train(texts, vocab_size=800)
    sizes = dict(d_model=128, d_ff=256, num_heads=4, num_layers=2)
    config = CausalLMConfig(vocab_size=tokenizer.vocab_size, norm_first=True, **sizes)
    ids = keras.Input((LENGTH,), dtype="int32")
    model = keras.Model(ids, Decoder(config)(ids))
    model.compile(
        keras.optimizers.Adam(0.002),
        LabelSmoothedCrossEntropy(0.0, ignore_class=PAD),
        weighted_metrics=[Perplexity(ignore_class=PAD)],
    )
    model.fit(*shifted(tokenizer, texts), batch_size=64, epochs=epochs, verbose=2)
    random = np.random.default_rng(1)
    for prompt in ("A young", "At the zoo,", "The"):
        print(continued(model, tokenizer, prompt, random))
    held_out = shifted(tokenizer, caption_lines("test")[0])
    print(f"perplexity {model.evaluate(*held_out, verbose=0)[1]:.2f} a test token")


if __name__ == "__main__":
    main(int(sys.argv[1]))
