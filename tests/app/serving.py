"""What the tests of the page share: a run, a server in a thread, a browser."""

import contextlib
import dataclasses
import socket
import threading

from small import MODEL

from keras_transformer.app import server
from keras_transformer.app.site import site
from keras_transformer.config import DataConfig, TrainingConfig
from keras_transformer.data.store import TokenStore
from keras_transformer.models.transformer import Transformer
from keras_transformer.runs.run import Run, RunConfig
from keras_transformer.text.tokenizer import Tokenizer

SENTENCE = "a man rides a bike"
EXAMPLES = ["a man", "a man rides", "a man rides a horse"]
SIZES = dict(source_vocab_size=24, target_vocab_size=24)


def small_run(run):
    """A run of a model that has learned nothing, which is quicker and says as much.

    Its languages are known, and it holds validation sentences.
    """
    run.mkdir()
    model = dataclasses.replace(MODEL, **SIZES, decoder_layers=3)
    tokenizer = Tokenizer.train([SENTENCE, "a man rides a horse"], vocab_size=24)
    TokenStore.build(run / "data" / "valid", [*zip(EXAMPLES, EXAMPLES)], tokenizer)
    config = RunConfig(model, DataConfig(), TrainingConfig(), languages=["en", "de"])
    Run.begin(run, config, (tokenizer, tokenizer)).save_model(Transformer(model))
    return run


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def started(blocks, allow_host=()):
    """The URL of a page that is served meanwhile."""
    with server.listen("127.0.0.1", free_port()) as listening:
        names = server.served_names(listening, "127.0.0.1", allow_host)
        running = server.page_server(site(blocks, names))
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        try:
            yield "http://{}:{}/".format(*listening.getsockname())
        finally:
            running.should_exit = True
            thread.join()
