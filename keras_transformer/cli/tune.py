"""Try length and coverage penalties on validation pairs, and say which to pass."""

import dataclasses
import itertools

from ..config import DecodingConfig, expect
from ..process.bars import say
from ..process.flag_names import flag
from . import translate
from .flags import SEVERAL_RUNS, SIDES, config_flags, file_flags, pairs_chosen

SEARCH = config_flags(DecodingConfig)
# What is tried where nothing is chosen.
TRIED = {
    "length_penalties": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0),
    "coverage_penalties": (0.0,),
}
SEVERAL = dict(nargs="+", action="extend", type=float)
FLAGS = {
    **SEVERAL_RUNS,
    **file_flags(("source", "target", "pairs")),
    "--length-penalties": dict(
        metavar="ALPHA",
        help=f"those to try (default: {' '.join(map(str, TRIED['length_penalties']))})",
        **SEVERAL,
    ),
    "--coverage-penalties": dict(
        metavar="BETA",
        help="those to try with each of them (default: 0)",
        **SEVERAL,
    ),
    **{name: SEARCH[name] for name in ("--beam", "--penalty", "--batch-size")},
}
FIRST = ("--source", "--target", "--pairs", *map(flag, SIDES), "--length-penalties")
COLUMNS = ("length penalty", "coverage penalty", "BLEU", "chrF")


def run(options):
    from ..decoding.ensemble import model_of_runs
    from ..decoding.translator import Translator
    from ..evaluation.evaluate import evaluate, pairs_to_score
    from ..runs.run import Run

    config = translate.search_config(options)
    expect(config.beam > 1, "--beam", "be above 1 to rank by", config.beam)
    alphas, betas = penalties_tried(options)
    runs = [Run.open(path) for path in (options.run, *options.others)]
    must = "be 0 with several runs, whose models look at different words"
    is_right = len(runs) == 1 or not any(betas)
    expect(is_right, "--coverage-penalties", must, betas)
    first = runs[0]
    model = model_of_runs(runs)
    # What one run held out, another may have learnt.
    own = first if len(runs) == 1 else None
    pairs = pairs_to_score(own, pairs_chosen(vars(options)))
    say(" ".join(f"{column:>16}" for column in COLUMNS))
    bleu = {}
    for alpha, beta in itertools.product(alphas, betas):
        one = dataclasses.replace(config, length_penalty=alpha, coverage_penalty=beta)
        translator = Translator(model, *first.tokenizers, first.search(one))
        scores = evaluate(translator, pairs).scores
        bleu[alpha, beta] = scores.bleu
        say(f"{alpha:16} {beta:16} {scores.bleu:16.2f} {scores.chrf:16.2f}")
    alpha, beta = max(bleu, key=bleu.get)
    how = f"--length-penalty {alpha} --beam {config.beam} --penalty {config.penalty}"
    if beta:
        how += f" --coverage-penalty {beta}"
    say(f"Best by BLEU: {how}")


def penalties_tried(options):
    """The values that are tried of each of the two penalties."""
    tried = [getattr(options, name) or TRIED[name] for name in TRIED]
    for name, values in zip(TRIED, tried):
        are_right = all(0 <= value <= 5 for value in values)
        expect(are_right, flag(name), "be between 0 and 5", values)
    return tried
