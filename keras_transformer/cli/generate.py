"""Continue texts with a trained language model."""

from ..process.bars import doing
from . import translate
from .flags import RUN
from .output import rows_of

FLAGS = {
    **RUN,
    "text": dict(metavar="PROMPT", nargs="*", help="beginnings of texts"),
    "--input": dict(help="file of prompts, also as .gz (default: standard input)"),
    "--output": translate.FLAGS["--output"],
    "--stop": dict(
        metavar="TOKEN",
        action="append",
        default=[],
        help="a token that ends a text, as the vocabulary spells it; may be repeated",
    ),
    "--token-scores": translate.FLAGS["--token-scores"],
}
GROUPS = translate.SEARCH
FIRST = (
    "--input",
    "--output",
    "--stop",
    "--token-scores",
    "--search",
    "--beam",
    "--n-best",
    "--temperature",
    "--top-p",
    "--extra-length",
)


def run(options):
    from ..decoding.generator import Generator

    search = translate.search_config(options)

    def load():
        with doing(f"opening {options.run}"):
            return Generator.load(options.run, search, options.stop)

    def answers(generator, lines, typed):
        return rows_of(
            generator,
            lines,
            alignments=False,
            token_scores=options.token_scores,
            at_once=typed,
        )

    translate.answer(options, load, answers, "generating", "texts")
