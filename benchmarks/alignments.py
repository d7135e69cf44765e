"""How good word alignments from attention are, on the bundled corpus.

    python -m benchmarks.alignments RUN [--split valid]

The corpus's grammar says which words belong together.
Prints the alignment error rate of each rule, and says which is best: each layer of the
decoder (mean over heads; a target word is linked to the source word that gets most
attention when it is written, or, "read", in the step after, which reads it), with or
without the punctuation that is written with a word. Then of `Translator.alignments`,
whose rule this is to check, and of the diagonal. Choose by "valid", report "test".

Known are the links of words with content, about half of all: S. Those found links are
counted, A, that touch one of these words: AER = 1 - 2 |A & S| / (|A| + |S|).
"""

import argparse
import gzip
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from captions.alignment import sure_links  # noqa: E402

from keras_transformer.data.examples import (
    CAPTION_SPLITS,  # noqa: E402
    captions,
)
from keras_transformer.decoding import attention
from keras_transformer.decoding.translator import Translator


def error_rate(found, known):
    """AER of the links of each sentence, against those that are known."""
    hits = 0
    counted = 0
    total = 0
    for links, sure in zip(found, known, strict=True):
        sources = {i for i, _ in sure}
        targets = {j for _, j in sure}
        touching = {(i, j) for i, j in links if i in sources or j in targets}
        hits += len(touching & sure)
        counted += len(touching)
        total += len(sure)
    return 1 - 2 * hits / (counted + total)


def with_punctuation(words):
    """The words of tokens, where punctuation belongs to the word that it follows."""

    def joined(before, word):
        return before if word is None else word

    return list(itertools.accumulate(words, joined))


def by_rule(translator, source, target):
    """The links of a pair by (punctuation counts, step reads, layer)."""
    found = translator.attention(source, target)
    tokenizers = (
        (translator.source_tokenizer, source),
        (translator.target_tokenizer, target),
    )
    words = [
        attention.words_of(tok, tok.encode([text])[0], text) for tok, text in tokenizers
    ]
    words = {False: words, True: [with_punctuation(each) for each in words]}
    means = found.cross.mean(axis=1)
    rules = itertools.product((False, True), (0, 1), range(len(means)))
    return {
        (marks, read, n): attention.links(means[n][read:], *words[marks])
        for marks, read, n in rules
    }


def name_of(rule):
    marks, read, n = rule
    step = "read" if read else "written"
    punctuation = "with" if marks else "without"
    return f"layer {n + 1}, {step}, {punctuation} punctuation"


def diagonal(source, target):
    source_words = len(source.split())
    target_words = len(target.split())
    return [(j * source_words // target_words, j) for j in range(target_words)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run")
    parser.add_argument(
        "--split",
        choices=CAPTION_SPLITS,
        default="test",
        help="of the corpus (default: test)",
    )
    options = parser.parse_args()
    translator = Translator.load(options.run)
    files = captions(options.split)
    sources, targets = (
        gzip.open(path, "rt", encoding="utf-8").read().splitlines() for path in files
    )
    known = [sure_links(*pair) for pair in zip(sources, targets)]
    found = [by_rule(translator, *pair) for pair in zip(sources, targets)]
    rates = {
        rule: error_rate([links[rule] for links in found], known) for rule in found[0]
    }
    best = min(rates, key=rates.get)
    for rule, rate in rates.items():
        print(f"{name_of(rule):45} {rate:.3f}{' best' if rule == best else ''}")
    rate = error_rate(translator.alignments(sources, targets), known)
    print(f"{'Translator.alignments':45} {rate:.3f}")
    print(f"{'diagonal':45} {error_rate(map(diagonal, sources, targets), known):.3f}")
    links = sum(map(len, known))
    words = sum(len(target.split()) for target in targets)
    print(
        f"{links} known links in {len(known)} pairs of {words} target words "
        f"({options.split})"
    )


if __name__ == "__main__":
    main()
