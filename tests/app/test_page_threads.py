"""What the page answers is the same whoever asks meanwhile."""

import concurrent.futures

from keras_transformer.app.page import Answers
from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.translator import Translator


def test_eight_threads_get_what_one_gets(trained):
    config = DecodingConfig(beam=2, n_best=2, extra_length=2)
    answers = Answers(Translator.load(trained, config))
    texts = ["a man", "a dog", "two girls", "a bike", "one", "the man", "red", "a tree"]

    def work(text):
        rows, _, shown, *rest = answers.translate(text, "", "", "cross", 1, "1")
        return rows.choices, shown.found.cross.tolist(), rest

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(work, texts))
    assert together == list(map(work, texts))
