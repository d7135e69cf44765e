"""Translate a test set, or what a run held out, and score it with sacreBLEU."""

import dataclasses
import json
from pathlib import Path

from ..config import TrainingConfig, flag_fields
from ..runs.flag_names import flag
from ..runs.sealed_files import kind_of
from . import translate
from .flags import JSON, RUN, SIDES, file_flags, pairs_chosen, value_options

TOKENIZE = flag_fields(TrainingConfig)["bleu_tokenize"]
FLAGS = {
    **RUN,
    **translate.RUNTIME,
    **file_flags(("source", "target", "pairs")),
    "--bleu-tokenize": dict(
        default=TOKENIZE.default,
        help=TOKENIZE.metadata["help"],
        **value_options(TOKENIZE.type),
    ),
    **JSON,
}
FIRST = ("--source", "--target", "--pairs", *map(flag, SIDES))
FIRST += ("--runtime", "--beam", "--bleu-tokenize", "--json")
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
    pairs = pairs_chosen(vars(options))
    how = dict(bleu_tokenize=options.bleu_tokenize, run=own)
    result = evaluate(translator, pairs, **how)
    count = len(result.translations)
    rate = result.sentences_per_second
    if options.json:
        speed = {"sentences": count, "sentences_per_second": round(rate, 2)}
        print(json.dumps(dataclasses.asdict(result.scores) | speed))
    else:
        print(f"{result.scores}\n{count} sentences, {rate:.1f} a second")
