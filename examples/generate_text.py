"""Text generation: a decoder without memory learns the captions, and continues one.

The score on held-out captions is a token's perplexity: examples/generate_text.py EPOCHS
"""

import sys

import keras
from texts import caption_lines

from keras_transformer import (
    CausalLM,
    CausalLMConfig,
    DecodingConfig,
    Generator,
    LabelSmoothedCrossEntropy,
    Perplexity,
    Tokenizer,
)

LENGTH = 24
# The ids that no text can spell.
PAD = 0
BEGIN = 2
END = 3


def shifted(tokenizer, texts):
    rows = [[BEGIN, *row, END] for row in tokenizer.encode(texts)]
    ids = keras.utils.pad_sequences(rows, LENGTH + 1, padding="post", truncating="post")
    return ids[:, :-1], ids[:, 1:]


def main(epochs, count=None):
    texts, _ = caption_lines("train", count)
    tokenizer = Tokenizer.train(texts, vocab_size=800)
    sizes = dict(d_model=128, d_ff=256, num_heads=4, num_layers=2)
    config = CausalLMConfig(vocab_size=tokenizer.vocab_size, norm_first=True, **sizes)
    model = CausalLM(config)
    model.compile(
        keras.optimizers.Adam(0.002),
        LabelSmoothedCrossEntropy(0.0, ignore_class=PAD),
        weighted_metrics=[Perplexity(ignore_class=PAD)],
    )
    model.fit(*shifted(tokenizer, texts), batch_size=64, epochs=epochs, verbose=2)
    by_chance = DecodingConfig(search="sampling", extra_length=LENGTH)
    generator = Generator(model, tokenizer, by_chance)
    print(*generator(["A young", "At the zoo,", "The"]), sep="\n")
    held_out = shifted(tokenizer, caption_lines("test")[0])
    print(f"perplexity {model.evaluate(*held_out, verbose=0)[1]:.2f} a test token")


if __name__ == "__main__":
    main(int(sys.argv[1]))
