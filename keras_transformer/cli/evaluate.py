"""Translate a test set and score it with sacreBLEU."""

import dataclasses
import json

from . import translate
from .flags import RUN

FLAGS = {
    **RUN,
    **translate.RUNTIME,
    "--source": dict(required=True, help="test sentences (or a .tsv of both sides)"),
    "--target": dict(help="their reference translations"),
    "--json": dict(action="store_true", help="print one JSON object"),
}
GROUPS = translate.GROUPS


def run(options):
    from ..evaluation.evaluate import evaluate

    translator = translate.load_translator(options)
    result = evaluate(translator, options.source, options.target)
    count = len(result.translations)
    rate = result.sentences_per_second
    if options.json:
        speed = {"sentences": count, "sentences_per_second": round(rate, 2)}
        print(json.dumps(dataclasses.asdict(result.scores) | speed))
    else:
        print(f"{result.scores}\n{count} sentences, {rate:.1f} a second")
