"""How good word alignments from attention are, on the bundled test set, whose grammar says which words belong together.

    python -m benchmarks.alignments RUN

Prints the alignment error rate of each layer of the decoder (mean over heads; a target word is linked to the source
word that gets most attention when it is written, or, "shifted", when it is read), of the rule of
`Translator.alignments`, and of the diagonal for comparison. Known are the links of words with content, about half of
all: S. Those found links are counted, A, that touch one of these words: AER = 1 - 2 |A & S| / (|A| + |S|).
"""

import argparse
import gzip
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from captions.alignment import sure_links  # noqa: E402

from keras_transformer.data import captions  # noqa: E402
from keras_transformer.decoding import Translator, attention  # noqa: E402


def error_rate(found, known):
    """AER of the links of each sentence, against those that are known."""
    hits = counted = total = 0
    for links, sure in zip(found, known, strict=True):
        sources, targets = {i for i, _ in sure}, {j for _, j in sure}
        touching = {(i, j) for i, j in links if i in sources or j in targets}
        hits, counted, total = hits + len(touching & sure), counted + len(touching), total + len(sure)
    return 1 - 2 * hits / (counted + total)


def by_layer(translator, source, target):
    """The links of a pair by (layer, shifted)."""
    found = translator.attention(source, target)
    tokenizers = (translator.source_tokenizer, source), (translator.target_tokenizer, target)
    words = [attention.words_of(tok, tok.pieces, tok.encode([text])[0], text) for tok, text in tokenizers]
    means = found.cross.mean(axis=1)
    return {(n, shift): attention.links(means[n][shift:], *words) for n in range(len(means)) for shift in (0, 1)}


def diagonal(source, target):
    source_words, target_words = len(source.split()), len(target.split())
    return [(j * source_words // target_words, j) for j in range(target_words)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run")
    translator = Translator.load(parser.parse_args().run)
    sources, targets = (gzip.open(path, "rt", encoding="utf-8").read().splitlines() for path in captions("test"))
    known = [sure_links(*pair) for pair in zip(sources, targets)]
    layers = [by_layer(translator, *pair) for pair in zip(sources, targets)]
    for n, shift in sorted(layers[0]):
        rate = error_rate([found[n, shift] for found in layers], known)
        print(f"layer {n + 1}{', shifted' if shift else '':9s} {rate:.3f}")
    print(f"diagonal          {error_rate(map(diagonal, sources, targets), known):.3f}")
    print(f"alignments        {error_rate(translator.alignments(sources, targets), known):.3f}")
    words = sum(len(target.split()) for target in targets)
    print(f"{sum(map(len, known))} known links in {len(known)} pairs of {words} target words")


if __name__ == "__main__":
    main()
