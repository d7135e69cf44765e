"""`keras-transformer evaluate`: translate a test set and score it."""

import dataclasses
import json

from keras_transformer.cli.translate import add_translator, load_translator

HELP = "translate a test set and score it with sacreBLEU"


def add_flags(parser):
    add = parser.add_argument
    add_translator(parser)
    text = "test sentences (or a .tsv of both sides)"
    add("--source", required=True, metavar="FILE", help=text)
    add("--target", metavar="FILE", help="their reference translations")
    add("--json", action="store_true", help="print one JSON object")


def run(options):
    from keras_transformer.evaluation.evaluate import evaluate

    result = evaluate(load_translator(options), options.source, options.target)
    sentences = len(result.translations)
    rate = result.sentences_per_second
    if options.json:
        found = dataclasses.asdict(result.scores)
        found["sentences"] = sentences
        found["sentences_per_second"] = round(rate, 2)
        print(json.dumps(found))
    else:
        print(f"{result.scores}\n{sentences} sentences, {rate:.1f} a second")
