"""The messages of a training: a line after each epoch, and a report at the end."""

import math

import numpy as np

from ..data.documents import DocumentStore
from ..data.store import TokenStore
from ..decoding.generator import Generator
from ..decoding.translator import Translator
from ..process.bars import advance, describe, doing, say
from ..process.flag_names import flag
from ..text.markup import SYMBOL
from .advice import warn_of_average
from .progress import SessionCallback

SAMPLES = 5  # validation pairs or texts to show at the end
PROMPT = 8  # words of a text that the model continues, at most
WHY = {
    "epochs": "all {} epochs are done",
    "max_updates": "all {} updates of max_updates are done",
    "max_minutes": "the {} minutes of max_minutes are over",
    "patience": "the last {} epochs were not better, which is all the patience",
}


class EpochLines(SessionCallback):
    """Say how far the training is, and after each epoch what it gave."""

    def on_epoch_begin(self, epoch, logs=None):
        self.name = f"epoch {epoch + 1}/{self.training.epochs}"
        self.begun = self.progress.seconds

    def on_train_batch_end(self, batch, logs=None):
        describe(self.name)
        advance(kind=self.session.batches.width(self.progress.batch - 1))

    def on_test_begin(self, logs=None):
        describe(f"{self.name}, validating")

    def on_epoch_end(self, epoch, logs=None):
        advance(0, kind="end of an epoch")
        if self.writes:
            seconds = self.progress.seconds - self.begun
            values = ", ".join(f"{name} {value:.4f}" for name, value in logs.items())
            is_best = self.session.ranked_epochs()[0] == epoch
            best = "; the best so far" if is_best else ""
            say(f"{self.name}, {seconds:.0f} s: {values}{best}")


def why_over(session):
    """The reason why nothing is left to train, and what to type to go on."""
    limit = session.reached_limit()
    most = getattr(session.training, limit)
    done = {
        "epochs": session.progress.epoch,
        "max_updates": math.ceil(session.updates),
    }
    more = f"--resume {flag(limit)} {2 * max(most, done.get(limit, 0))}"
    goes_on = f"keras-transformer train {session.run.path} {more}"
    return f"{WHY[limit].format(most)}. To go on: {goes_on}"


def report(session, model):
    """Say why training is over, which epoch was the best, and what the model can do."""
    scores = session.progress.scores
    if scores:
        best = session.ranked_epochs()[0]
        score = f"{session.monitor} {scores[best]:.4f}"
        say(f"Best epoch: {best + 1} of {len(scores)}, {score}.")
    say(f"Training is over: {why_over(session)}")
    warn_of_average(session.training.ema_momentum, session.progress.batches)
    show_samples(session.run, model)


def show_samples(run, model):
    """Print some validation pairs of a run, if it has any, and their translations."""
    place = run.path / "data" / "valid"
    if not place.exists():
        return
    tokenizers = run.tokenizers
    if run.config.is_language_model:
        show_texts(model, DocumentStore.open(place), tokenizers[0])
        return
    store = TokenStore.open(place)
    rows = sample_rows(store)
    pairs = zip(*store.texts(rows, *tokenizers))
    # The store has symbols in place of markup, and not the markup itself.
    pairs = [pair for pair in pairs if not any(map(SYMBOL.search, pair))]
    with doing(f"translating {len(pairs)} validation sentences"):
        translator = Translator(model, *tokenizers, run.search())
        translations = translator([source for source, _ in pairs])
    for (source, reference), translation in zip(pairs, translations, strict=True):
        say(f"\n  {source}", f"  reference: {reference}", f"  model:     {translation}")
    say("")


def sample_rows(store):
    """The numbers of some rows of a store, evenly spread."""
    return np.unique(np.linspace(0, len(store) - 1, SAMPLES).astype(int))


def show_texts(model, store, tokenizer):
    """Print how a language model continues the first halves of some documents."""
    rows = sample_rows(store)
    words = [text.split() for text in store.texts(rows, tokenizer)]
    prompts = [" ".join(text[: min(PROMPT, len(text) // 2)]) for text in words]
    with doing(f"continuing {len(rows)} validation texts"):
        texts = Generator(model, tokenizer)(prompts)
    for prompt, text in zip(prompts, texts, strict=True):
        say(f"\n  prompt: {prompt}", f"  model:  {text}")
    say("")
