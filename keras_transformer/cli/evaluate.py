"""`keras-transformer evaluate`: translate a test set and score it."""

import dataclasses
import json

from keras_transformer.cli import translate
from keras_transformer.cli.flags import RUN

HELP = "translate a test set and score it with sacreBLEU"
FLAGS = {
    **RUN,
    **translate.RUNTIME,
    "--source": dict(
        required=True, metavar="FILE", help="test sentences (or a .tsv of both sides)"
    ),
    "--target": dict(metavar="FILE", help="their reference translations"),
    "--json": dict(action="store_true", help="print one JSON object"),
}
GROUPS = translate.GROUPS


def run(options):
    from keras_transformer.evaluation.evaluate import evaluate

    translator = translate.load_translator(options)
    result = evaluate(translator, options.source, options.target)
    sentences = len(result.translations)
    rate = result.sentences_per_second
    if options.json:
        found = dataclasses.asdict(result.scores)
        found["sentences"] = sentences
        found["sentences_per_second"] = round(rate, 2)
        print(json.dumps(found))
    else:
        print(f"{result.scores}\n{sentences} sentences, {rate:.1f} a second")
