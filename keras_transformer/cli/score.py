"""The log-probability of each translation of a file, or of what a run held out."""

import contextlib
import sys

from ..config import DecodingConfig
from ..process.bars import advance, doing, say
from ..process.flag_names import flag
from ..runs.sealed_files import new_file
from . import translate
from .evaluate import run_and_translator
from .flags import SEVERAL_RUNS, SIDES, config_flags, file_flags, pairs_chosen
from .output import check_not_read

SOURCES = ("source", "target", "pairs")
SEARCH = config_flags(DecodingConfig)
FLAGS = {
    **SEVERAL_RUNS,
    **translate.RUNTIME,
    **file_flags(SOURCES),
    "--output": dict(help="file to write, also as .gz (default: standard output)"),
    **{name: SEARCH[name] for name in ("--batch-size", "--max-source-length")},
}
FIRST = ("--source", "--target", "--pairs", *map(flag, SIDES), "--output")


def run(options):
    from ..decoding.base_translator import in_chunks
    from ..evaluation.evaluate import pairs_to_score, say_skipped

    read = [path for name in SOURCES for path in vars(options).get(name) or ()]
    check_not_read("--output", options.output, read)
    own, translator = run_and_translator(options)
    pairs = pairs_to_score(own, pairs_chosen(vars(options)))
    place = contextlib.nullcontext(sys.stdout)
    if options.output:
        place = new_file(options.output)
    with place as file, doing("scoring", None, "pairs"):
        for chunk in in_chunks(pairs, translator.config.batch_size):
            sources, targets = map(list, zip(*chunk))
            scores = translator.score(sources, targets, token_scores=True)
            say(*map(row, scores, chunk), file=file)
            advance(len(chunk))
    say_skipped(pairs)


def row(token_scores, pair):
    """A pair as columns: log-probability, its mean over the tokens, both texts."""
    total = sum(token_scores)
    mean = total / len(token_scores)
    columns = [" ".join(text.replace("\t", " ").splitlines()) for text in pair]
    return "\t".join([f"{total:.4f}", f"{mean:.4f}", *columns])
