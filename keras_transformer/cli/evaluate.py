"""Translate a test set and score it with sacreBLEU."""

import dataclasses
import json
from pathlib import Path

from ..config import TrainingConfig, flag_fields
from ..runs.sealed_files import kind_of
from . import translate
from .flags import JSON, RUN, value_options

TOKENIZE = flag_fields(TrainingConfig)["bleu_tokenize"]
FLAGS = {
    **RUN,
    **translate.RUNTIME,
    "--source": dict(required=True, help="test sentences (or a .tsv of both sides)"),
    "--target": dict(help="their reference translations"),
    "--bleu-tokenize": dict(
        default=TOKENIZE.default,
        help=TOKENIZE.metadata["help"],
        **value_options(TOKENIZE.type),
    ),
    **JSON,
}
FIRST = ("--source", "--target", "--runtime", "--beam", "--bleu-tokenize", "--json")
# Of several translations by beam search the best alone is scored.
ONLY = {"n_best": ("search", "sampling")}
GROUPS = translate.SEARCH


def run(options):
    from ..evaluation.evaluate import evaluate
    from ..runs.run import Run

    own = None
    if kind_of(Path(options.run)) == "run":
        own = Run.open(options.run)
    translator = translate.load_translator(options)
    files = (options.source, options.target)
    result = evaluate(translator, *files, options.bleu_tokenize, run=own)
    count = len(result.translations)
    rate = result.sentences_per_second
    if options.json:
        speed = {"sentences": count, "sentences_per_second": round(rate, 2)}
        print(json.dumps(dataclasses.asdict(result.scores) | speed))
    else:
        print(f"{result.scores}\n{count} sentences, {rate:.1f} a second")
