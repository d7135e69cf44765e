"""Classification: the German article of the noun that an English sentence begins with.

An `Encoder`, and a `Dense` of its first position, which reads an extra token as BERT
does. Data are the bundled captions whose German begins with Der, Die or Das; the scores
are scikit-learn's: python examples/classify.py EPOCHS
"""

import sys

import keras
import numpy as np
from sklearn.metrics import accuracy_score, classification_report
from texts import caption_lines

from keras_transformer import Encoder, EncoderConfig, Tokenizer

ARTICLES = ["Der", "Die", "Das"]
LENGTH = 24
FIRST = 2  # an id that no text can spell, before each sentence


def read(split):
    pairs = []
    for text, german in zip(*caption_lines(split)):
        article = german.split()[0]
        if article in ARTICLES:
            pairs.append((text, ARTICLES.index(article)))
    texts, labels = zip(*pairs)
    return texts, np.array(labels)


def padded(tokenizer, texts):
    rows = [[FIRST, *row] for row in tokenizer.encode(texts)]
    return keras.utils.pad_sequences(rows, LENGTH, padding="post", truncating="post")


def main(epochs, count=None):
    texts, labels = read("train")
    tokenizer = Tokenizer.train(texts, vocab_size=800)
    sizes = dict(d_model=64, d_ff=128, num_heads=4, num_layers=2)
    config = EncoderConfig(vocab_size=tokenizer.vocab_size, norm_first=True, **sizes)
    ids = keras.Input((LENGTH,), dtype="int32")
    first = Encoder(config)(ids)[:, 0]
    model = keras.Model(ids, keras.layers.Dense(len(ARTICLES))(first))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001), loss)
    inputs = padded(tokenizer, texts)
    model.fit(inputs[:count], labels[:count], batch_size=64, epochs=epochs, verbose=2)
    texts, labels = read("test")
    found = model.predict(padded(tokenizer, texts), verbose=0).argmax(axis=-1)
    print(texts[0], "->", ARTICLES[found[0]])
    print(classification_report(labels, found, target_names=ARTICLES, zero_division=0))
    print(f"accuracy {accuracy_score(labels, found):.1%} of {len(labels)} sentences")


if __name__ == "__main__":
    main(int(sys.argv[1]))
