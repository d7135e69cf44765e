"""Try length penalties on validation pairs, and say which to pass."""

import dataclasses

from ..config import DecodingConfig, expect
from ..runs.bars import say
from ..runs.flag_names import flag
from . import translate
from .flags import RUN, SIDES, config_flags, file_flags, pairs_chosen

SEARCH = config_flags(DecodingConfig)
TRIED = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
FLAGS = {
    **RUN,
    **file_flags(("source", "target", "pairs")),
    "--length-penalties": dict(
        nargs="+",
        type=float,
        default=TRIED,
        metavar="ALPHA",
        help=f"those to try (default: {' '.join(map(str, TRIED))})",
    ),
    **{name: SEARCH[name] for name in ("--beam", "--penalty", "--batch-size")},
}
FIRST = ("--source", "--target", "--pairs", *map(flag, SIDES), "--length-penalties")


def run(options):
    from ..decoding.translator import Translator
    from ..evaluation.evaluate import evaluate, pairs_to_score
    from ..runs.run import Run

    config = translate.chosen_search(options)
    expect(config.beam > 1, "--beam", "be above 1 to rank by", config.beam)
    alphas = options.length_penalties
    are_right = all(0 <= alpha <= 5 for alpha in alphas)
    expect(are_right, "--length-penalties", "be between 0 and 5", alphas)
    configs = [dataclasses.replace(config, length_penalty=alpha) for alpha in alphas]
    own = Run.open(options.run)
    first = own.translator(config)
    pairs = pairs_to_score(own, pairs_chosen(vars(options)))
    tokenizers = (first.source_tokenizer, first.target_tokenizer)
    say(f"{'length penalty':>14} {'BLEU':>8} {'chrF':>8}")
    found = {}
    for one in configs:
        translator = Translator(first.model, *tokenizers, own.search(one))
        scores = evaluate(translator, pairs).scores
        alpha = one.length_penalty
        found[alpha] = scores.bleu
        say(f"{alpha:14} {scores.bleu:8.2f} {scores.chrf:8.2f}")
    best = max(found, key=found.get)
    how = f"--length-penalty {best} --beam {config.beam} --penalty {config.penalty}"
    say(f"Best by BLEU: {how}")
