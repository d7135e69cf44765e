"""How much markup a run's translations keep, and their scores with and without it.

    python -m benchmarks.markup RUN [--pairs FILE] [--markup rst,python-format]

Translates the pairs that the run held out from its training, or those of a file, and
prints a row of a table. A mark counts that stands unchanged in a source and in its
reference. It is kept where the translation has it as often; a mark is invented that
neither source nor reference has. In "text alone" the marks are taken out of
translations and references before BLEU is computed.
"""

import argparse
import collections

from keras_transformer.evaluation.evaluate import evaluate, pairs_to_score
from keras_transformer.evaluation.scores import corpus_scores
from keras_transformer.runs.run import Run
from keras_transformer.text.markup import Markup

HEADER = (
    "| run | epochs | sentences | BLEU | chrF | BLEU, text alone | kept | invented |\n"
    "|---|---|---|---|---|---|---|---|"
)


def marks_of(markup, text):
    """How often a text has each mark."""
    return collections.Counter(markup.marks_in(text))


def without_marks(markup, text):
    """A text without its marks, single spaces between what is left."""
    end_of_last = 0
    kept = []
    for start, end in markup.places(text):
        kept.append(text[end_of_last:start])
        end_of_last = end
    kept.append(text[end_of_last:])
    return " ".join(" ".join(kept).split())


def counts(markup, sources, references, translations):
    """Marks kept, wanted, and invented; lines with an invented one."""
    total = collections.Counter()
    for source, reference, text in zip(sources, references, translations, strict=True):
        of_source = marks_of(markup, source)
        of_reference = marks_of(markup, reference)
        found = marks_of(markup, text)
        wanted = of_source & of_reference
        invented = found - (of_source | of_reference)
        total["kept"] += (wanted & found).total()
        total["wanted"] += wanted.total()
        total["invented"] += invented.total()
        total["lines"] += bool(invented)
    return total


def row(path, pairs, markup):
    """A row of the table."""
    run = Run.open(path)
    pairs = pairs_to_score(run, pairs)
    evaluation = evaluate(run.translator(), pairs)
    sources, references = zip(*pairs, strict=True)
    translations = evaluation.translations
    total = counts(markup, sources, references, translations)
    texts = [[without_marks(markup, text) for text in translations]]
    texts.append([without_marks(markup, text) for text in references])
    alone = corpus_scores(*texts)
    share = 100 * total["kept"] / max(1, total["wanted"])
    cells = (
        path,
        len(run.log),
        f"{len(sources):,}",
        f"{evaluation.scores.bleu:.2f}",
        f"{evaluation.scores.chrf:.2f}",
        f"{alone.bleu:.2f}",
        f"{total['kept']} of {total['wanted']}, {share:.1f} %",
        f"{total['invented']} in {total['lines']} lines",
    )
    return f"| {' | '.join(map(str, cells))} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("--pairs", help="a file of pairs; those held out when absent")
    parser.add_argument("--markup", default="rst,python-format", help="presets")
    options = parser.parse_args()
    markup = Markup(tuple(options.markup.split(",")))
    print(HEADER)
    print(row(options.run, options.pairs, markup))


if __name__ == "__main__":
    main()
