"""Sentence patterns: each method returns an English caption and its translation."""

from dataclasses import replace

from . import activities as act
from . import english
from . import lexicon as lex
from .drawing import ACTIVITIES, CASES, SINGLY, Drawing
from .german import ACCUSATIVE, DATIVE, NOMINATIVE, RELATIVE, prepositional
from .phrases import Phrase

PEOPLE = {"person", "adult", "young", "many"} | {
    name for name, word in lex.NOUNS.items() if "person" in word.tags
}
HUMAN = [activity for activity in ACTIVITIES if activity.agents & PEOPLE]
SEPARABLE = [activity for activity in ACTIVITIES if activity.verb.prefix]
TRIES = {"catch", "repair", "open", "photograph", "draw", "feed", "pick up", "hang up"}
WANTS = TRIES | {
    "buy",
    "eat",
    "drink",
    "wash",
    "paint",
    "clean",
    "read",
    "help",
    "ride",
    "build",
    "cut",
    "sell",
}
JOINED = {
    "read",
    "eat",
    "drink",
    "hold",
    "talk to",
    "wait for",
    "play the guitar",
    "laugh",
    "listen to",
    "chat",
}
ALSO = {
    "laugh",
    "talk to",
    "listen to",
    "read",
    "drink",
    "eat",
    "wait for",
    "sing",
    "look for",
}
SHOWN = {
    "stroke",
    "feed",
    "carry",
    "hold",
    "repair",
    "wash",
    "buy",
    "photograph",
    "push",
    "help",
    "watch",
}
WEATHERED = {"wait", "wait for", "sit", "stand", "hold", "work", "sleep"}
GIFTS = "flower apple book letter balloon banana present cup ball map pear".split()
ON_TABLE = [name for name, word in lex.NOUNS.items() if word.tags & {"lies", "rests"}]
STANDING = [name for name, word in lex.NOUNS.items() if "stands" in word.tags]
CAPTIONED = [
    name
    for name, word in lex.NOUNS.items()
    if "person" in word.tags and "job" not in word.tags
]
COLOURS = [pair[:2] for pair in lex.COLOURS]


class Grammar(Drawing):
    """Draws sentences from a random.Random."""

    def __init__(self, random):
        super().__init__(random)
        self.patterns = [
            (self.plain, 16),
            (self.fronted, 14),
            (self.moving, 10),
            (self.posture_and, 7),
            (self.relative, 8),
            (self.while_after, 6),
            (self.while_before, 4),
            (self.because, 7),
            (self.existential, 5),
            (self.passive, 5),
            (self.wants, 5),
            (self.tries, 4),
            (self.giving, 4),
            (self.comparative, 3),
            (self.described, 3),
            (self.object_relative, 3),
            (self.weather, 3),
            (self.title, 3),
        ]

    def sentence(self):
        pattern = self.random.choices(*zip(*self.patterns, strict=True))[0]
        source, target = pattern()
        return english.sentence(source), english.sentence(target)

    def plain(self):
        """A woman is buying three apples at the market."""
        clause = self.clause()
        return clause.english(), clause.main()

    def fronted(self):
        """In the park, a man is reading a book. Im Park liest ein Mann ein Buch."""
        clause = self.clause(place=1, time=0.35, attribute=0.15)
        return self.front(
            clause, [slot for slot in ("place", "time") if slot in clause.slots]
        )

    def moving(self):
        """Two girls are walking along the river.

        Zwei Mädchen gehen am Fluss entlang.
        """
        clause = self.motion()
        return self.front(
            clause, ["time"] if "time" in clause.slots and self.chance(0.5) else []
        )

    def front(self, clause, slots):
        if not slots:
            return clause.english(), clause.main()
        slot = self.random.choice(slots)
        return f"{clause.slots[slot][0]}, {clause.english(without=slot)}", clause.main(
            slot
        )

    def posture_and(self):
        """A man is sitting on a bench and reading a newspaper."""
        postures = [a for a in act.POSTURES if "person" in a.agents]
        first = self.clause(postures, time=0, kinds=PEOPLE, attribute=0.15)
        activities = [
            a
            for a in ACTIVITIES
            if a.base in JOINED and ("many" not in a.agents or first.subject.plural)
        ]
        activities = [a for a in activities if not a.base.startswith(first.base)]
        second = self.clause(activities, place=0, time=0, subject=first.subject)
        return (
            f"{first.english()} and {second.english_rest()}",
            f"{first.main()} und {second.verb_first(subject='')}",
        )

    def relative(self):
        """A woman who is sitting on a bench is reading a newspaper."""
        activities = [a for a in act.TRANSITIVE if a.base in ("hold", "carry")]
        activities += [a for a in act.POSTURES if "person" in a.agents]
        inner = self.clause(
            activities, place=0.3, time=0, kinds=PEOPLE, attribute=0, definite=0.5
        )
        if not isinstance(inner.subject, Phrase):
            return self.relative()
        fits = PEOPLE & (inner.subject.word.tags | {"person"})
        activities = [a for a in ACTIVITIES if a.base in ALSO and a.agents & fits]
        activities = [a for a in activities if not a.base.startswith(inner.base)]
        outer = self.clause(activities, place=0, time=0, subject=inner.subject)
        source = f"{inner.subject.english()} {inner.english('who')} {outer.english('')}"
        subject = inner.subject.german(NOMINATIVE)
        return source, f"{subject}, {inner.relative()}, {outer.verb_first(subject='')}"

    def two_clauses(self, place):
        first = self.clause(HUMAN, place=place, time=0, kinds=PEOPLE, attribute=0.05)
        # separable verbs are joined in the subordinate clause only: often enough to be
        # learnt
        second = self.clause(
            SEPARABLE if self.chance(0.4) else ACTIVITIES,
            place=0.3,
            time=0,
            attribute=0.05,
        )
        return (
            self.two_clauses(place)
            if first.subject.words & second.subject.words
            else (first, second)
        )

    def while_after(self):
        """A man is cooking while a child is playing."""
        first, second = self.two_clauses(place=0.5)
        return (
            f"{first.english()} while {second.english()}",
            f"{first.main()}, {second.subordinate('während')}",
        )

    def while_before(self):
        """While a dog is sleeping, two girls are playing football."""
        second, first = self.two_clauses(place=0.3)
        return (
            f"while {first.english()}, {second.english()}",
            f"{first.subordinate('während')}, {second.verb_first()}",
        )

    def because(self):
        """A boy is eating an apple because he is hungry."""
        source, target, reasons = self.random.choice(act.REASONS)
        clause = self.reasoned(self.random.choice(reasons.split()))
        they, sie = clause.subject.pronoun
        if "PRONOUN" in source:
            if not they:
                return self.because()
            be, sein = (
                english.be(clause.subject.plural),
                "sind" if clause.subject.plural else "ist",
            )
            source = source.replace("PRONOUN", they).replace("BE", be)
            target = target.replace("PRONOUN", sie).replace("BE", sein)
        return f"{clause.english()} because {source}", f"{clause.main()}, weil {target}"

    def reasoned(self, reason):
        """A clause from "base", "base:object,object", "run@into" or "stand@tree"."""
        if reason == "run@into":
            clause = self.motion(
                [a for a in act.MOTION if a.base == "run"], time=0, attribute=0.1
            )
            return (
                clause
                if clause.slots["direction"][0].startswith("into")
                else self.reasoned(reason)
            )
        base, tree, _ = reason.partition("@")
        base, _, objects = base.replace("_", " ").partition(":")
        activities = [a for a in HUMAN if a.base == base]
        if objects:
            wanted = tuple(objects.split(","))
            activities = [
                replace(a, objects=wanted)
                for a in activities
                if set(wanted) & set(a.objects)
            ]
        clause = self.clause(activities, place=0.3, time=0, kinds=PEOPLE, attribute=0.1)
        if tree:
            word = lex.NOUNS["tree"]
            phrase = Phrase(word, "a", self.adjectives(word))
            clause.slots["place"] = (
                f"under {phrase.english()}",
                prepositional("unter", phrase.german(DATIVE)),
            )
        return clause

    def existential(self):
        """There is a blue cup on the table. Auf dem Tisch steht eine blaue Tasse."""
        if self.chance(0.6):
            table = self.known("table", 0.3)
            place = f"on {table.english()}", prepositional("auf", table.german(DATIVE))
            name = self.random.choice(ON_TABLE)
        else:
            place, name = self.beside(), self.random.choice(STANDING)
        phrase = self.phrase(name, definite=0, plural=0.35, probability=0.7)
        verbs = (
            ("liegt", "liegen") if "lies" in phrase.word.tags else ("steht", "stehen")
        )
        source = f"there {english.be(phrase.plural)} {phrase.english()} {place[0]}"
        return source, f"{place[1]} {verbs[phrase.plural]} {phrase.german(NOMINATIVE)}"

    def passive(self):
        """A red car is being repaired by two men.

        Ein rotes Auto wird von zwei Männern repariert.
        """
        activity = self.random.choice(
            [a for a in act.TRANSITIVE if a.verb.participle and a.base != "hold"]
        )
        plural = 0 if activity.base in SINGLY else 0.2
        phrase = self.phrase(
            self.random.choice(activity.objects),
            definite=0.35,
            plural=plural,
            probability=0.6,
        )
        agent = self.subject(activity.agents, attribute=0.05, definite=0.25)
        if agent.word == phrase.word:
            return self.passive()
        being = f"{english.be(phrase.plural)} being {activity.participle}"
        source = f"{phrase.english()} {being} by {agent.english()}"
        wird = "werden" if phrase.plural else "wird"
        by = prepositional("von", agent.german(DATIVE))
        return (
            source,
            f"{phrase.german(NOMINATIVE)} {wird} {by} {activity.verb.participle}",
        )

    def wants(self):
        """A boy wants to buy an ice cream. Ein Junge möchte ein Eis kaufen."""
        clause = self.clause(
            [a for a in HUMAN if a.base in WANTS], place=0.4, time=0.1, kinds=PEOPLE
        )
        wants, modal = (
            ("want", "möchten") if clause.subject.plural else ("wants", "möchte")
        )
        source = f"{clause.subject.english()} {wants} to {clause.english_infinitive()}"
        return (
            source,
            f"{clause.subject.german(NOMINATIVE)} {modal} {clause.infinitive()}",
        )

    def tries(self):
        """A girl is trying to catch the ball.

        Ein Mädchen versucht, den Ball zu fangen.
        """
        clause = self.clause(
            [a for a in HUMAN if a.base in TRIES], place=0.3, time=0, kinds=PEOPLE
        )
        plural = clause.subject.plural
        is_trying = f"{english.be(plural)} trying to {clause.english_infinitive()}"
        source = f"{clause.subject.english()} {is_trying}"
        verb = "versuchen" if plural else "versucht"
        return (
            source,
            f"{clause.subject.german(NOMINATIVE)} {verb}, {clause.zu_infinitive()}",
        )

    def giving(self):
        """A man is giving the little girl a flower.

        Ein Mann gibt dem kleinen Mädchen eine Blume.
        """
        subject = self.subject({"person"}, attribute=0.1)
        receiver = self.phrase(
            self.random.choice(self.agents({"person"})), definite=0.5, plural=0.2
        )
        if receiver.word == subject.word:
            return self.giving()
        gift = self.phrase(
            self.random.choice(GIFTS), definite=0, plural=0.1, probability=0.5
        )
        is_giving = f"{english.be(subject.plural)} giving"
        objects = f"{receiver.english()} {gift.english()}"
        source = f"{subject.english()} {is_giving} {objects}"
        verb = "geben" if subject.plural else "gibt"
        objects = f"{receiver.german(DATIVE)} {gift.german(ACCUSATIVE)}"
        return source, f"{subject.german(NOMINATIVE)} {verb} {objects}"

    def comparative(self):
        """The black horse is faster than the cow."""
        comparative, german, names = self.random.choice(lex.COMPARATIVES)
        places = sorted(self.random.randrange(len(names)) for _ in range(2))
        left, right = (self.uncompared(lex.NOUNS[names[place]]) for place in places)
        if left == right:
            return self.comparative()
        source = f"{left.english()} is {comparative} than {right.english()}"
        return (
            source,
            f"{left.german(NOMINATIVE)} ist {german} als {right.german(NOMINATIVE)}",
        )

    def uncompared(self, word):
        """With a colour, or a quality that no comparative is about."""
        pairs = [
            pair[:2] for pair in lex.COLOURS + lex.ADJECTIVES if pair[2] & word.tags
        ]
        pairs = [pair for pair in pairs if pair in COLOURS or pair[0] in lex.UNCOMPARED]
        return Phrase(
            word,
            adjectives=(self.random.choice(pairs),)
            if pairs and self.chance(0.6)
            else (),
        )

    def predicate(self, word, named=()):
        """A quality or a colour: never an adjective and a predicate of one kind."""
        pairs = [
            pair[:2]
            for pair in lex.ADJECTIVES + lex.COLOURS
            if pair[2] & word.tags and pair[0] != "little"
        ]
        if named:
            pairs = [
                pair for pair in pairs if (pair in COLOURS) != (named[0] in COLOURS)
            ]
        return self.random.choice(pairs)

    def described(self):
        """The old car in front of the church is red."""
        word, plural = lex.NOUNS[self.random.choice(STANDING)], self.chance(0.3)
        adjectives = self.adjectives(word, 0.3)[:1] if "colour" in word.tags else ()
        predicate = self.predicate(word, adjectives)
        phrase = Phrase(word, "the", adjectives, plural, after=self.beside())
        source = f"{phrase.english()} {english.be(plural)} {predicate[0]}"
        return (
            source,
            f"{phrase.german(NOMINATIVE)} {'sind' if plural else 'ist'} {predicate[1]}",
        )

    def object_relative(self):
        """The dog that the boy is stroking is brown.

        Der Hund, den der Junge streichelt, ist braun.
        """
        activity = self.random.choice([a for a in act.TRANSITIVE if a.base in SHOWN])
        word, plural = lex.NOUNS[self.random.choice(activity.objects)], self.chance(0.2)
        subject = self.subject(activity.agents, attribute=0, definite=0.6)
        if subject.word == word:
            return self.object_relative()
        thing, predicate = Phrase(word, plural=plural), self.predicate(word)
        pronoun = RELATIVE[CASES[activity.government]][
            "p" if plural else word.german.gender
        ]
        who = "who" if "person" in word.tags else "that"
        clause = english.clause(subject.english(), subject.plural, activity.ing, "")
        source = f"{thing.english()} {who} {clause}"
        verb = activity.verb.finite(subject.plural)
        sein = "sind" if plural else "ist"
        relative = f"{pronoun} {subject.german(NOMINATIVE)} {verb}"
        target = f"{thing.german(NOMINATIVE)}, {relative}, {sein} {predicate[1]}"
        return f"{source} {english.be(plural)} {predicate[0]}", target

    def weather(self):
        """It is raining and two men are waiting for the bus.

        Es regnet und zwei Männer warten auf den Bus.
        """
        source, target = self.random.choice(lex.WEATHER)
        if self.chance(0.4):
            clause = self.motion(time=0)
        else:
            clause = self.clause([a for a in ACTIVITIES if a.base in WEATHERED], time=0)
        return f"{source} and {clause.english()}", f"{target} und {clause.main()}"

    def title(self):
        """A little girl in a red coat on the beach."""
        name, plural = self.random.choice(CAPTIONED), self.chance(0.3)
        after = self.attribute(name, plural)
        phrase = self.phrase(
            name, definite=0, plural=plural, after=after, probability=0.7
        )
        place = (
            self.beside()
            if self.chance(0.5)
            else self.located(self.random.choice(lex.PLACES))
        )
        return (
            f"{phrase.english()} {place[0]}",
            f"{phrase.german(NOMINATIVE)} {place[1]}",
        )
