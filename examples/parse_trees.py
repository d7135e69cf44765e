"""Constituency parsing as translation (the paper's section 6.3): words in, a tree out.

Trees are generated; the brackets' F1 is NLTK's: python examples/parse_trees.py EPOCHS
"""

import random
import sys

from nltk import Tree
from nltk.metrics.scores import f_measure
from texts import learn

RULES = dict(S="NP VP", NP="D N|D N|D N|D N WITH", WITH="P D HAT|AT NP")
RULES |= dict(VP="V NP|V NP BY|KNEW S", BY="P D LENS|AT DAY")
WORDS = dict(D="a|the", N="man|dog|nurse", V="saw|drew", KNEW="knew that|said that")
WORDS |= dict(HAT="hat|coat", LENS="lens|camera", DAY="noon|dawn", P="with", AT="at")


def grow(symbol, words):
    """A random tree of tags; its words are added to a list."""
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
        return
    leaves = tree.treepositions("leaves")
    for place in {*tree.treepositions()} - {*leaves}:
        inside = [n for n, leaf in enumerate(leaves) if leaf[: len(place)] == place]
        yield row, tree[place].label(), inside[0], inside[-1]


def main(epochs, count=5000):
    random.seed(1)
    grown = {}
    while len(grown) < count:
        words = []
        tree = grow("S", words)
        if len(words) <= 20:
            grown[" ".join(words)] = tree.pformat(margin=10**6)
    pairs = [*grown.items()]
    parse = learn(pairs[count // 5 :], pairs[: count // 10], epochs, vocab_size=140)
    sentences, trees = zip(*pairs[count // 10 : count // 5])
    answers = parse(sentences)
    print(sentences[0], "->", answers[0])
    expected = set().union(*map(brackets, range(count), trees))
    found = set().union(*map(brackets, range(count), answers))
    print(f"labelled-bracket F1 {f_measure(expected, found) or 0:.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
