"""Noun phrases and clauses: each knows its English text and its German text."""

from dataclasses import dataclass

from . import english, german
from .german import NOMINATIVE, Verb
from .lexicon import Word

DETERMINERS = {"the": "der", "a": "ein", "": ""}


@dataclass(frozen=True)
class Phrase:
    """A noun with determiner, quantity and adjectives, and what follows it.

    Adjectives are pairs of English and German words.
    """

    word: Word
    determiner: str = "the"
    adjectives: tuple = ()
    plural: bool = False
    quantity: tuple = ("", "")
    after: tuple = ("", "")

    @property
    def words(self):
        return {self.word}

    @property
    def pronoun(self):
        """he, she or they, where both languages agree on it; else an empty pair."""
        if self.plural:
            return "they", "sie"
        return next(
            (
                pair
                for pair in (("he", "er"), ("she", "sie"))
                if pair[0] in self.word.tags
            ),
            ("", ""),
        )

    def english(self):
        adjectives = [pair[0] for pair in self.adjectives]
        text = english.noun_phrase(
            self.word.singular,
            self.word.plural,
            self.determiner,
            adjectives,
            self.plural,
            self.quantity[0],
        )
        return " ".join(filter(None, (text, self.after[0])))

    def german(self, case):
        adjectives = [pair[1] for pair in self.adjectives]
        text = german.noun_phrase(
            self.word.german,
            case,
            DETERMINERS[self.determiner],
            adjectives,
            self.plural,
            self.quantity[1],
        )
        return " ".join(filter(None, (text, self.after[1])))


@dataclass(frozen=True)
class Pair:
    """Two subjects joined by "and"."""

    first: Phrase
    second: Phrase
    plural: bool = True
    pronoun: tuple = ("they", "sie")

    @property
    def word(self):
        return self.first.word

    @property
    def words(self):
        return {self.first.word, self.second.word}

    def english(self):
        return f"{self.first.english()} and {self.second.english()}"

    def german(self, case):
        return f"{self.first.german(case)} und {self.second.german(case)}"


ENGLISH_ORDER = ("complement", "object", "direction", "place", "time")
# time before manner before place; a known object stands before the place, a new one
# after it
GERMAN_ORDER = ("time", "known", "adverb", "place", "object", "complement", "direction")


@dataclass(frozen=True)
class Clause:
    """A subject and what it does; `slots` maps names to English and German text."""

    subject: Phrase | Pair
    ing: str
    base: str
    verb: Verb
    slots: dict

    def _english_middle(self, without=""):
        slots = {
            ("object" if name == "known" else name): text[0]
            for name, text in self.slots.items()
        }
        return " ".join(
            slots[name] for name in ENGLISH_ORDER if slots.get(name) and name != without
        )

    def _german_middle(self, without=""):
        parts = (
            self.slots[name][1]
            for name in GERMAN_ORDER
            if name in self.slots and name != without
        )
        return " ".join(filter(None, parts))

    def _ing(self):
        return " ".join(filter(None, (self.slots.get("adverb", ("",))[0], self.ing)))

    def english(self, subject=None, without=""):
        subject = self.subject.english() if subject is None else subject
        return english.clause(
            subject, self.subject.plural, self._ing(), self._english_middle(without)
        )

    def english_rest(self):
        """Without subject and auxiliary: sitting on a bench."""
        return f"{self._ing()} {self._english_middle()}".strip()

    def english_infinitive(self):
        return f"{self.base} {self._english_middle()}".strip()

    def main(self, front=""):
        """German main clause; `front` names the slot that is first, not the subject."""
        first = self.slots[front][1] if front else ""
        subject = self.subject.german(NOMINATIVE)
        return german.main_clause(
            self.verb, self.subject.plural, subject, self._german_middle(front), first
        )

    def verb_first(self, subject=None):
        """The main clause after a subordinate one, without its subject if that is "".

        After "und" and a relative clause there is no subject.
        """
        subject = self.subject.german(NOMINATIVE) if subject is None else subject
        return german.main_clause(
            self.verb, self.subject.plural, subject, self._german_middle(), front=None
        )

    def subordinate(self, conjunction):
        subject = self.subject.german(NOMINATIVE)
        return german.subordinate_clause(
            self.verb, self.subject.plural, conjunction, subject, self._german_middle()
        )

    def relative(self):
        column = "p" if self.subject.plural else self.subject.word.german.gender
        pronoun = german.RELATIVE[NOMINATIVE][column]
        return german.subordinate_clause(
            self.verb, self.subject.plural, pronoun, "", self._german_middle()
        )

    def infinitive(self):
        """im Park ein Eis essen; the caller places "möchte" before it."""
        sich = "sich" if self.verb.reflexive else ""
        verb = self.verb.prefix + self.verb.plural
        return " ".join(filter(None, (sich, self._german_middle(), verb)))

    def zu_infinitive(self):
        return " ".join(filter(None, (self._german_middle(), self.verb.with_zu())))
