"""Semantic parsing as translation: a sentence in, its logical form out.

Both are generated in the manner of COGS (Kim and Linzen 2020): two nouns that are only
subjects in training are tested as objects. python examples/semantic_parsing.py EPOCHS
"""

import random
import sys

from sklearn.metrics import accuracy_score
from texts import learn

NOUNS = "girl boy cat dog teacher farmer queen poet lion baker".split()
SUBJECTS_ONLY = ["shark", "hedgehog"]
DOES = dict(saw="see", liked="like", found="find", helped="help", painted="paint")
SAYS = {"said that": "say", "knew that": "know", "hoped that": "hope"}


def noun_phrase(nouns, place):
    """Words, their conjunct, and the place of the next word."""
    words = f"{random.choice(['a', 'the'])} {random.choice(nouns)}"
    return words, f"{words} ( x {place + 1} )", place + 2


def clause(objects, depth=0, place=0):
    """A sentence, its form (who does what to whom, by places), and its verb's place."""
    subject, is_subject, at = noun_phrase(NOUNS + SUBJECTS_ONLY, place)
    embeds = depth < 2 and random.random() < 0.3
    verb, sense = random.choice([*(SAYS if embeds else DOES).items()])
    if embeds:
        rest, form, inner = clause(objects, depth + 1, at + 2)
        form = f"{sense} . ccomp ( x {at} , x {inner} ) AND {form}"
    else:
        rest, is_object, end = noun_phrase(objects, at + 1)
        form = f"{sense} . theme ( x {at} , x {end - 1} ) AND {is_object}"
    agent = f"{sense} . agent ( x {at} , x {at - 1} )"
    return f"{subject} {verb} {rest}", f"{is_subject} AND {agent} AND {form}", at


def sample(count, objects):
    pairs = {}
    while len(pairs) < count:
        text, form, _ = clause(objects)
        pairs[text] = form
    return [*pairs.items()]


def main(epochs, count=3400):
    random.seed(1)
    pairs = sample(count, NOUNS)
    parse = learn(pairs[400:], pairs[200:400], epochs, vocab_size=140)
    for name, part in (("known", pairs[:200]), ("new", sample(200, SUBJECTS_ONLY))):
        texts, forms = zip(*part)
        answers = parse(texts)
        print(texts[0], "->", answers[0])
        print(f"{name} objects: {accuracy_score(forms, answers):.1%} of forms right")


if __name__ == "__main__":
    main(int(sys.argv[1]))
