"""Classification: the German article of the English noun that a sentence begins with.

An `EncoderBlock` or two, and a `Dense` of the first position, which reads an extra
token as BERT does. Sentences and articles (Der, Die or Das) are the bundled captions',
whose German side begins with one. The scores are scikit-learn's:

    python examples/classify.py EPOCHS
"""

import gzip
import sys

import keras
import numpy as np
from sklearn.metrics import accuracy_score, classification_report

from keras_transformer import Encoder, Tokenizer, captions
from keras_transformer.config import EncoderConfig

ARTICLES = ["Der", "Die", "Das"]
LENGTH = 24
FIRST = 2  # an id that no text can spell, before each sentence


def read(split):
    sides = []
    for path in captions(split):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            sides.append(lines.read().splitlines())
    pairs = [(text, german.split()[0]) for text, german in zip(*sides)]
    texts, articles = zip(*[pair for pair in pairs if pair[1] in ARTICLES])
    return texts, np.array([ARTICLES.index(article) for article in articles])


def padded(tokenizer, texts):
    rows = [[FIRST, *row] for row in tokenizer.encode(texts)]
    return keras.utils.pad_sequences(rows, LENGTH, padding="post", truncating="post")


def build_model(vocab_size):
    sizes = dict(d_model=64, d_ff=128, num_heads=4, num_layers=2)
    config = EncoderConfig(vocab_size=vocab_size, norm_first=True, **sizes)
    ids = keras.Input((LENGTH,), dtype="int32")
    logits = keras.layers.Dense(len(ARTICLES))(Encoder(config)(ids)[:, 0])
    return keras.Model(ids, logits)


def main(epochs, count=None):
    texts, labels = read("train")
    tokenizer = Tokenizer.train(texts, vocab_size=800)
    model = build_model(tokenizer.vocab_size)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001), loss)
    ids = padded(tokenizer, texts)
    model.fit(ids[:count], labels[:count], batch_size=64, epochs=epochs, verbose=2)
    texts, labels = read("test")
    found = model.predict(padded(tokenizer, texts), verbose=0).argmax(axis=-1)
    print(texts[0], "->", ARTICLES[found[0]])
    print(classification_report(labels, found, target_names=ARTICLES, zero_division=0))
    print(f"accuracy {accuracy_score(labels, found):.1%} of {len(labels)} sentences")


if __name__ == "__main__":
    main(int(sys.argv[1]))
