"""Constituency parsing as translation (the paper's section 6.3): words in, a tree out.

The trees are generated: no package brings the Penn Treebank's. A word decides where its
phrase belongs: "saw a man with a hat" is said of him, "with a lens" of the seeing. The
F1 of labelled brackets is NLTK's: python examples/parse_trees.py EPOCHS
"""

import random
import sys

from nltk import Tree
from nltk.metrics.scores import f_measure
from text_to_text import learn

RULES = dict(S="NP VP", NP="D N|D N|D J N|D N WITH", WITH="P D HAT|AT NP")
RULES |= dict(VP="V NP|V NP BY|KNEW THAT S", BY="P D LENS|AT DAY")
WORDS = dict(D="a|the|every", J="old|young|tall|happy", N="man|woman|dog|nurse|farmer")
WORDS |= dict(HAT="hat|coat|beard", LENS="lens|telescope|camera", DAY="noon|dawn|night")
WORDS |= dict(V="saw|watched|drew", KNEW="knew|said", THAT="that", P="with", AT="at")


def grow(symbol, words):
    """A random tree whose leaves are tags; its words are added to a list."""
    if symbol in WORDS:
        words.append(random.choice(WORDS[symbol].split("|")))
        return symbol
    parts = random.choice(RULES[symbol].split("|")).split()
    return Tree(symbol, [grow(part, words) for part in parts])


def brackets(row, text):
    """Row, label, begin and end of each phrase; none where brackets do not match."""
    try:
        tree = Tree.fromstring(text)
    except ValueError:
        return set()
    leaves = tree.treepositions("leaves")
    found = set()
    for place in {*tree.treepositions()} - {*leaves}:
        inside = [n for n, leaf in enumerate(leaves) if leaf[: len(place)] == place]
        found.add((row, tree[place].label(), inside[0], inside[-1]))
    return found


def main(epochs, count=3400):
    random.seed(1)
    trees = {}
    while len(trees) < count:
        words = []
        tree = grow("S", words)
        if len(words) <= 24:
            trees[" ".join(words)] = tree.pformat(margin=10**6)
    pairs = [*trees.items()]
    test, valid, training = pairs[:200], pairs[200:400], pairs[400:]
    parse = learn(training, valid, epochs, vocab_size=140)
    expected, found = set(), set()
    answers = parse([words for words, _ in test])
    for row, answer in enumerate(answers):
        expected |= brackets(row, test[row][1])
        found |= brackets(row, answer)
    print(test[0][0], "->", answers[0])
    print(f"labelled-bracket F1 {f_measure(expected, found) or 0:.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
