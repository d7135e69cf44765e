"""Question answering by span: where in three captions the answer begins and ends.

"Who is reading a book?" is answered by "A tall woman". Two `Dense` units at a position
say whether it is the begin or the end: python examples/answer_questions.py EPOCHS
"""

import random
import re
import sys

import keras
import numpy as np
from sklearn.metrics import accuracy_score
from texts import caption_lines

from keras_transformer import Encoder, EncoderConfig, Tokenizer

LENGTH = 80
BETWEEN = 2  # the id behind the question, which no text can spell
WHO_DOES = re.compile(r"^((?:An?|The)(?: \w+){1,2}) (is \w+ing .*)\.$", re.MULTILINE)


def ask(split, tokenizer, count):
    """Ids `(count, LENGTH)`, and each answer's first and last position `(count, 2)`."""
    sentences = WHO_DOES.findall("\n".join(caption_lines(split)[0]))
    ids = np.zeros((count, LENGTH), "int32")
    spans = np.zeros((count, 2), "int32")
    for row in range(count):
        chosen = random.sample(sentences, 3)
        asked = random.randrange(3)
        parts = tokenizer.encode([f"Who {chosen[asked][1]}?"])
        parts[0].append(BETWEEN)
        for who, does in chosen:
            parts += tokenizer.encode([who, f"{does}."])
        begin = len(sum(parts[: 1 + 2 * asked], []))
        spans[row] = begin, begin + len(parts[1 + 2 * asked]) - 1
        ids[row] = np.resize(sum(parts, []) + [0] * LENGTH, LENGTH)
    return ids, spans


def main(epochs, count=8000):
    random.seed(1)
    tokenizer = Tokenizer.train(["Who?", *caption_lines("train")[0]], vocab_size=800)
    sizes = dict(d_model=64, d_ff=128, num_heads=4, num_layers=3, dropout=0.0)
    config = EncoderConfig(vocab_size=800, norm_first=True, positions="rotary", **sizes)
    layers = [Encoder(config), keras.layers.Dense(2), keras.layers.Permute((2, 1))]
    model = keras.Sequential([keras.Input((LENGTH,), dtype="int32"), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.002), loss)
    model.fit(*ask("train", tokenizer, count), batch_size=32, epochs=epochs, verbose=2)
    ids, spans = ask("test", tokenizer, 300)
    found = model.predict(ids, verbose=0).argmax(axis=-1)
    answer = ids[0, found[0, 0] : found[0, 1] + 1]
    print(*tokenizer.decode([ids[0].tolist(), answer.tolist()]), sep=" -> ")
    right = accuracy_score([*map(str, spans)], [*map(str, found)])
    print(f"exact match {right:.1%} of {len(spans)} answers")


if __name__ == "__main__":
    main(int(sys.argv[1]))
