"""Semantic parsing as translation: a sentence in, its logical form out.

In the manner of COGS (Kim and Linzen 2020): python examples/semantic_parsing.py EPOCHS
"""

import random
import sys

from sklearn.metrics import accuracy_score
from texts import learn

NOUNS = "girl boy cat dog teacher farmer queen poet lion baker".split()
SUBJECTS_ONLY = ["shark", "hedgehog"]  # in training; they are tested as objects
DOES = dict(saw="see", liked="like", found="find", helped="help", painted="paint")
SAYS = {"said that": "say", "knew that": "know", "hoped that": "hope"}


def noun_phrase(nouns, place):
    """Two words, and their conjunct: the place is that of the first."""
    words = f"{random.choice(['a', 'the'])} {random.choice(nouns)}"
    return words, f"{words} ( x {place + 1} )"


def clause(objects, depth=0, place=0):
    """A sentence, and its form: who does what to whom, by the places of words."""
    subject, is_subject = noun_phrase(NOUNS + SUBJECTS_ONLY, place)
    at = place + 2
    embeds = depth < 2 and random.random() < 0.3
    verb, sense = random.choice([*(SAYS if embeds else DOES).items()])
    if embeds:
        rest, form = clause(objects, depth + 1, at + 2)
        form = f"{sense} . ccomp ( x {at} , x {at + 4} ) AND {form}"
    else:
        rest, is_object = noun_phrase(objects, at + 1)
        form = f"{sense} . theme ( x {at} , x {at + 2} ) AND {is_object}"
    agent = f"{sense} . agent ( x {at} , x {at - 1} )"
    return f"{subject} {verb} {rest}", f"{is_subject} AND {agent} AND {form}"


def sample(count, objects):
    pairs = {}
    while len(pairs) < count:
        pairs.update([clause(objects)])
    return [*pairs.items()]


def main(epochs, count=3400):
    random.seed(1)
    pairs = sample(count, NOUNS)
    parse = learn(pairs[count // 5 :], pairs[: count // 10], epochs, vocab_size=140)
    new = sample(count // 10, SUBJECTS_ONLY)
    for name, part in (("known", pairs[count // 10 : count // 5]), ("new", new)):
        texts, forms = zip(*part)
        answers = parse(texts)
        print(texts[0], "->", answers[0])
        print(f"{name} objects: {accuracy_score(forms, answers):.1%} of forms right")


if __name__ == "__main__":
    main(int(sys.argv[1]))
