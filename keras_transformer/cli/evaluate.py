"""Translate a test set, or what a run held out; score it. Perplexity of text."""

import dataclasses
import json
from pathlib import Path

from ..config import DecodingConfig, TrainingConfig, expect
from ..process.flag_names import flag
from ..runs.sealed_files import kind_of
from . import translate
from .flags import (
    FILES,
    JSON,
    SEVERAL_RUNS,
    SIDES,
    chosen_fields,
    config_flags,
    file_flags,
    pairs_chosen,
)

FLAGS = {
    **SEVERAL_RUNS,
    **translate.RUNTIME,
    **file_flags(("source", "target", "pairs")),
    "--text": FILES | dict(help="test text of a language model"),
    "--bleu-tokenize": config_flags(TrainingConfig)["--bleu-tokenize"],
    **translate.GLOSSARY,
    **JSON,
}
FIRST = ("--source", "--target", "--pairs", "--text", *map(flag, SIDES))
FIRST += ("--runtime", "--beam", "--glossary", "--bleu-tokenize", "--json")
# Of several translations by beam search the best alone is scored.
ONLY = {"n_best": ("search", "sampling"), "glossary": ("runtime", "keras")}
GROUPS = translate.SEARCH


def run(options):
    if "text" in options:
        return run_text(options)
    from ..evaluation.evaluate import evaluate

    own, translator = run_and_translator(options)
    pairs = pairs_chosen(vars(options))
    tokenize = vars(options).get("bleu_tokenize", TrainingConfig.bleu_tokenize)
    result = evaluate(translator, pairs, bleu_tokenize=tokenize, run=own)
    count = len(result.translations)
    rate = result.sentences_per_second
    if options.json:
        speed = {"sentences": count, "sentences_per_second": round(rate, 2)}
        print(json.dumps(dataclasses.asdict(result.scores) | speed))
    else:
        print(f"{result.scores}\n{count} sentences, {rate:.1f} a second")


def run_and_translator(options):
    """The `Run` that the options name, and the translator.

    It is None for an export, and for several runs: what one held out, another may have
    learnt, and their scores are none's.
    """
    from ..runs.run import Run

    own = None
    if kind_of(Path(options.run)) == "run" and not options.others:
        own = Run.open(options.run)
    return own, translate.load_translator(options)


def run_text(options):
    """Say the perplexity of a language model."""
    from ..evaluation.perplexity import perplexity

    runs = [options.run, *options.others]
    expect(len(runs) == 1, "RUN", "be one with --text", runs)
    others = [*chosen_fields(options, DecodingConfig)]
    names = ("source", "target", "pairs", *SIDES, "bleu_tokenize")
    others += [name for name in names if name in options]
    others += ["glossary"] if options.glossary else []
    is_chosen = options.runtime != translate.runtime_of(options.run)
    others += ["runtime"] if is_chosen else []
    expect(not others, "--text", "stand without flags of translation", others)
    scores = perplexity(options.run, options.text)
    if options.json:
        print(json.dumps(dataclasses.asdict(scores)))
    else:
        print(f"{scores}\n{scores.tokens:,} tokens")
