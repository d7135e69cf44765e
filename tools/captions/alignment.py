"""Which words of a generated pair translate each other, where the tables are certain.

The words with content are known (nouns, adjectives, numbers, verbs, adverbs), in all
their forms. A link is given where an English word has one German counterpart in the
sentence and that one no other; articles, prepositions, auxiliaries and what else has no
single counterpart have none.
"""

from . import activities as act
from . import lexicon as lex
from .german import COLUMNS, STRONG, WEAK, attributive

ENDINGS = {
    row[column] for table in (STRONG, WEAK) for row in table for column in COLUMNS
} | {""}


def _inflected(adjective):
    return {attributive(adjective) + ending for ending in ENDINGS} | {adjective}


def _forms():
    """English form -> the German forms that may translate it: lower case, one token."""
    forms = {}

    def add(english, german):
        if " " not in english:
            forms.setdefault(english.lower(), set()).update(
                word.lower() for word in german if " " not in word
            )

    for word in lex.NOUNS.values():
        add(word.singular, {word.german.decline(case) for case in range(3)})
        add(word.plural, {word.german.decline(case, plural=True) for case in range(3)})
    for english, german, _ in lex.ADJECTIVES + lex.COLOURS:
        add(english, _inflected(german))
    for english, german, _ in lex.COMPARATIVES:
        add(english, {german})
    for english, german in lex.NUMBERS + lex.QUANTITIES:
        add(english, {german, german + "n"})
    for adverbs in act.ADVERBS.values():
        for english, german in adverbs:
            add(english, {german})
    for activity in (*act.TRANSITIVE, *act.INTRANSITIVE, *act.POSTURES, *act.MOTION):
        verb = activity.verb
        german = {
            verb.singular,
            verb.plural,
            verb.participle,
            verb.prefix + verb.singular,
            verb.prefix + verb.plural,
        }
        german |= {verb.with_zu().replace(" ", "")} if verb.prefix else set()
        for english in (activity.base, activity.ing, activity.participle):
            add(english.split(" ")[0], german - {""})
    return forms


FORMS = _forms()


def sure_links(source, target):
    """The links `(source word, target word)` of a sentence and its translation, from 0.

    Example:
        >>> german = "Ein hungriger Affe spielt."
        >>> sorted(sure_links("A hungry monkey is playing.", german))
        [(1, 1), (2, 2), (4, 3)]
    """
    english, german = (
        [word.strip(".,").lower() for word in text.split()] for text in (source, target)
    )
    found = {
        i: [j for j, word in enumerate(german) if word in FORMS.get(form, ())]
        for i, form in enumerate(english)
    }
    claimed = [j for counterparts in found.values() for j in counterparts]
    return {
        (i, js[0])
        for i, js in found.items()
        if len(js) == 1 and claimed.count(js[0]) == 1
    }
