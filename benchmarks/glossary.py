"""How a glossary is obeyed, and what it costs in BLEU and time.

    python -m benchmarks.glossary RUN --train FILE FILE --test FILE FILE [--beam 4]

The glossary has the words that the training pairs translate alike (by Dice's measure)
and that the reference of each test sentence with the source word translates so: the
protocol of Dinu et al. 2019. A term counts as obeyed where the translation has it as
whole words.
"""

import argparse
import collections
import itertools
import re
import time

from keras_transformer import DecodingConfig, Translator, corpus_scores, read_pairs
from keras_transformer.text.glossary import Glossary

HEADER = (
    "| glossary | terms in sentences | obeyed | BLEU | chrF | seconds |\n"
    "|---|---|---|---|---|---|"
)
LEAST = 0.1  # Dice's measure: 1 where two words are always together


def words(text):
    return set(re.findall(r"\w{3,}", text))


def terms_of(train, test):
    """The translations of source words that hold in all test pairs."""
    counts = [collections.Counter() for _ in range(3)]
    for pair in train:
        own = [words(text) for text in pair]
        for count, found in zip(counts, (*own, itertools.product(*own))):
            count.update(found)
    best = {}
    for (source, target), count in counts[2].items():
        dice = 2 * count / (counts[0][source] + counts[1][target])
        if dice > best.get(source, (LEAST, ""))[0]:
            best[source] = (dice, target)
    terms = {source: target for source, (_, target) in best.items()}
    used = set()
    for source, reference in test:
        own = words(source) & terms.keys()
        used |= own
        for word in own:
            if terms[word] not in words(reference):
                del terms[word]
    return {word: terms[word] for word in used & terms.keys()}


def row(name, translator, terms, test):
    """A row of the table."""
    glossary = Glossary(terms)
    sources, references = zip(*test)
    begin = time.perf_counter()
    translations = translator(list(sources))
    seconds = time.perf_counter() - begin
    wanted = 0
    obeyed = 0
    for source, text in zip(sources, translations):
        own = {terms[term] for term in glossary.found_in(source)}
        wanted += len(own)
        obeyed += len(words(text) & own)
    scores = corpus_scores(translations, references)
    shares = f"{wanted:,} | {obeyed / wanted:.1%}"
    figures = f"{scores.bleu:.2f} | {scores.chrf:.2f} | {seconds:.1f}"
    return f"| {name} | {shares} | {figures} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--train", nargs="+", metavar="FILE")
    parser.add_argument("--test", nargs="+", metavar="FILE")
    parser.add_argument("--beam", type=int, default=4)
    options = parser.parse_args()
    test = list(read_pairs(*options.test))
    terms = terms_of(read_pairs(*options.train), test)
    config = DecodingConfig(beam=options.beam)
    print(HEADER)
    for name, glossary in (("without", None), (f"{len(terms):,} terms", terms)):
        translator = Translator.load(options.run, config, glossary)
        print(row(name, translator, terms, test), flush=True)


if __name__ == "__main__":
    main()
