"""A translator in eight threads gives each what it gives one."""

import concurrent.futures
import threading
import time

import pytest
from layer_checks import ON_TORCH, marked

from keras_transformer.config import DecodingConfig
from keras_transformer.decoding.translator import Translator

THREADS = 8
CONFIG = DecodingConfig(beam=2, extra_length=2, batch_size=3)


def in_threads(work):
    """What `work(number)` gives in each of eight threads that begin at once."""
    together = threading.Barrier(THREADS)

    def begin(number):
        together.wait()
        return work(number)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def streamed(translator, texts):
    options = dict(token_scores=True, alignments=True)
    return list(translator.stream(iter(texts), **options))


def attended(translator, texts):
    found = translator.attention(texts[0])
    return [weights.tolist() for weights in (found.encoder, found.decoder, found.cross)]


def forced(translator, texts):
    return translator.hypotheses(texts, texts)


def scored(translator, texts):
    return translator.score(texts, texts)


def traced(translator, texts):
    return translator.trace(texts[0])


@pytest.mark.parametrize("way", [streamed, attended, forced, scored, traced])
def test_eight_threads_get_what_one_gets(model, tokenizer, sentences, way):
    # A new one: it is compiled by whichever thread comes first.
    translator = Translator(model, tokenizer, config=CONFIG)

    def work(number):
        return way(translator, sentences(3, seed=number))

    found = in_threads(work)
    alone = [work(number) for number in range(THREADS)]
    assert found == alone
    assert len(set(map(repr, alone))) > 1


@marked(ON_TORCH)
def test_threads_take_turns(model, tokenizer, sentences, monkeypatch):
    translator = Translator(model, tokenizer, config=CONFIG)
    search = translator._searcher(0)
    inside = []
    most = []

    def watched(*tensors):
        inside.append(tensors)
        most.append(len(inside))
        time.sleep(0.01)  # lets another thread in, were it allowed
        inside.pop()
        return search(*tensors)

    monkeypatch.setattr(translator, "_searcher", lambda places: watched)
    in_threads(lambda number: translator(sentences(1, seed=number)))
    assert most == [1] * THREADS
