"""Translate a test set and score it."""

import contextlib
import dataclasses
import itertools
import sys
import time
import warnings
from pathlib import Path

from ..config import expect
from ..data.cleaning import counted
from ..data.pairs import is_path, read_pairs
from ..data.sides import SAMPLE, swapped
from ..data.store import TokenStore
from ..decoding.base_translator import BaseTranslator
from ..process.bars import doing, say
from ..runs.card import HELD_OUT, changed
from ..runs.run import Run
from .scores import Scores, chosen_tokenize, corpus_scores

KNOWN = 2_000  # training pairs with which the test's are compared


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` gives: the scores, the translations, and how long they took."""

    scores: Scores
    translations: list[str]
    seconds: float

    @property
    def sentences_per_second(self):
        return len(self.translations) / self.seconds


def evaluate(translator, source=None, target=None, bleu_tokenize="auto", run=None):
    """Translate source sentences and score them against a reference translation.

    Progress is shown on standard error if it takes more than three seconds.

    Args:
        translator: a `Translator` or another `BaseTranslator`, or the directory of a
            run.
        source: path of the source sentences; or what holds both sides, all that
            `read_pairs` takes or gives. When absent, the pairs that the run held out
            from its training.
        target: path of the references, line by line; absent with both sides in one.
        bleu_tokenize: how BLEU cuts text, see `corpus_scores`; what "auto" chooses is
            printed on standard error, unless it is 13a.
        run: the `Run` of the translator's model, if its scores are to be kept there,
            for its card. For a directory they always are.

    Returns:
        `Evaluation`; its seconds include compiling the search for new shapes.

    Raises:
        ValueError: if a file cannot be read, they are of unequal length or the same, or
            BLEU cannot cut text so.

    Warns:
        UserWarning: if the two files are swapped, by the words of the run's training.
    """
    if not isinstance(translator, BaseTranslator):
        with doing(f"opening {translator}"):
            run = Run.open(translator)
            translator = run.translator()
    pairs = pairs_to_score(run, source, target)
    sources, references = zip(*pairs, strict=True)
    say_skipped(pairs)
    bleu_tokenize = chosen_tokenize(bleu_tokenize, references)
    digest = run and run.model_digest()
    begin = time.perf_counter()
    with doing("translating", len(sources), "sentences"):
        translations = translator(list(sources))
    seconds = time.perf_counter() - begin
    scores = corpus_scores(translations, references, bleu_tokenize)
    if run:
        test = name_of_test(pairs, len(sources), translator)
        run.note_scores(digest, test, dataclasses.asdict(scores))
    return Evaluation(scores, translations, seconds)


def name_of_test(pairs, count, translator):
    """What a card calls a test: its files, how many sentences, and the search."""
    files = [one for side in pairs.files for one in side if is_path(one)]
    names = [Path(path).name for path in files[:2]]
    search = changed(translator.config)
    options = [f"{name}={value}" for name, value in search.items()]
    if translator.has_terms:
        options.append("glossary")
    return ", ".join([*names, f"{count:,} sentences", *options])


def pairs_to_score(run, source=None, target=None):
    """The `Pairs` of some files, or without those what a run held out.

    Args:
        run: the `Run` of the model, or None.
        source, target: as for `evaluate`.

    Raises:
        ValueError: if there are no pairs, or both sides are the same.

    Warns:
        UserWarning: if the sides are swapped, by the words of the run's training.
    """
    if source is None:
        path = run and run.path / HELD_OUT
        has_own = path is not None and path.is_file()
        must = "be given, unless one run alone held out pairs of its training"
        expect(has_own, "source", must, source)
        run.manifest.verify(HELD_OUT)
        source = path
    pairs = read_pairs(source, target)
    sample = list(itertools.islice(pairs, SAMPLE))
    is_one = all(source == target for source, target in sample)
    must = "be in two languages, not the same text"
    expect(not is_one, "source and target", must, pairs.name)
    shares = run and swapped(training_pairs(run), sample)
    if shares:
        warnings.warn(f"source and target seem to be swapped: {shares}", stacklevel=3)
    return pairs


def say_skipped(pairs):
    """Say what in files was no pair, once they have been read."""
    if any(pairs.skipped.values()):
        say(f"no pairs: {counted(pairs.skipped)}", file=sys.stderr)


def training_pairs(run):
    """Some pairs that a run was trained on; none where it has no data."""
    with contextlib.suppress(ValueError):
        store = TokenStore.open(run.path / "data" / "train")
        rows = range(min(KNOWN, len(store)))
        return list(zip(*store.texts(rows, *run.tokenizers)))
    return []
