"""Question answering by span: where in three sentences the answer begins and ends.

Sentences are bundled captions, and questions are made of them: "Who is reading a book?"
is answered by "A tall woman". An `Encoder` reads question and text, and two `Dense`
units say at each position whether the answer begins or ends there. Scores are
scikit-learn's: python examples/answer_questions.py EPOCHS
"""

import gzip
import random
import re
import sys

import keras
import numpy as np
from sklearn.metrics import accuracy_score

from keras_transformer import Encoder, Tokenizer, captions
from keras_transformer.config import EncoderConfig

LENGTH = 80
BETWEEN = 2  # an id that no text can spell, behind the question
SENTENCE = re.compile(r"^((?:An?|The)(?: \w+){1,2}) (is \w+ing .*)\.$", re.MULTILINE)


def read(split):
    """Who does something, and what."""
    with gzip.open(captions(split)[0], "rt", encoding="utf-8") as lines:
        return SENTENCE.findall(lines.read())


def ask(sentences, tokenizer, count):
    """Ids `(count, LENGTH)`, and each answer's first and last position `(count, 2)`."""
    ids, spans = np.zeros((count, LENGTH), "int32"), np.zeros((count, 2), "int32")
    for row in range(count):
        chosen = random.sample(sentences, 3)
        asked = random.randrange(3)
        parts = tokenizer.encode([f"Who {chosen[asked][1]}?"])
        parts[0].append(BETWEEN)
        for who, does in chosen:
            parts += tokenizer.encode([who, f"{does}."])
        begin = sum(len(part) for part in parts[: 1 + 2 * asked])
        spans[row] = begin, begin + len(parts[1 + 2 * asked]) - 1
        tokens = sum(parts, [])[:LENGTH]
        ids[row, : len(tokens)] = tokens
    return ids, spans


def build_model(vocab_size):
    sizes = dict(d_model=64, d_ff=128, num_heads=4, num_layers=3)
    config = EncoderConfig(vocab_size=vocab_size, norm_first=True, dropout=0.0, **sizes)
    ids = keras.Input((LENGTH,), dtype="int32")
    first_and_last = keras.layers.Dense(2)(Encoder(config)(ids))
    return keras.Model(ids, keras.layers.Permute((2, 1))(first_and_last))


def main(epochs, count=4000):
    random.seed(1)
    sentences = read("train")
    lines = [f"{who} {does}. Who?" for who, does in sentences]
    tokenizer = Tokenizer.train(lines, vocab_size=800)
    model = build_model(tokenizer.vocab_size)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001), loss)
    asked = ask(sentences, tokenizer, count)
    model.fit(*asked, batch_size=32, epochs=epochs, verbose=2)
    ids, spans = ask(read("test"), tokenizer, 300)
    found = model.predict(ids, verbose=0).argmax(axis=-1)
    begin, end = found[0]
    print(tokenizer.decode([ids[0].tolist(), ids[0, begin : end + 1].tolist()]))
    answers = [" ".join(map(str, span)) for span in found]
    right = accuracy_score([" ".join(map(str, span)) for span in spans], answers)
    print(f"exact match {right:.1%} of {len(spans)} answers")


if __name__ == "__main__":
    main(int(sys.argv[1]))
