"""Noun phrases, adverbials and clauses that make sense together, drawn at random."""

from dataclasses import replace

from . import activities as act
from . import lexicon as lex
from .german import ACCUSATIVE, DATIVE, prepositional
from .phrases import Clause, Pair, Phrase

CASES = {"acc": ACCUSATIVE, "dat": DATIVE}
ACTIVITIES = act.TRANSITIVE + act.INTRANSITIVE + act.POSTURES
UNCOUNTED = {"coffee", "tea", "ice cream", "cake"}
BEDS = {"bench", "sofa", "blanket"}
PERCHES = {"bench", "wall"}
GROUPS = {"walker": {"person", "dog"}, "car": {"car", "bus"}, "many": {"person"}}
WORN = ("coat", "jacket", "dress", "shirt")
CARRIED = (
    "umbrella",
    "hat",
    "camera",
    "bag",
    "balloon",
    "flower",
    "suitcase",
    "basket",
)
GARMENTS = ("wear", "put on", "take off")
SINGLY = ("push", "ride", "dance with", "wait for", "build")


class Drawing:
    """Draws from a random.Random."""

    def __init__(self, random):
        self.random = random

    def chance(self, probability):
        return self.random.random() < probability

    # noun phrases

    def adjectives(self, word, probability=0.4):
        """Up to two: a quality and a colour, as pairs of English and German."""
        qualities = [pair[:2] for pair in lex.ADJECTIVES if pair[2] & word.tags]
        colours = [pair[:2] for pair in lex.COLOURS if pair[2] & word.tags]
        chosen = []
        if qualities and self.chance(probability * (0.6 if colours else 1)):
            chosen.append(self.random.choice(qualities))
        if colours and chosen != [lex.COLOURFUL] and self.chance(probability * 0.8):
            chosen.append(self.random.choice(colours))
        return tuple(chosen)

    def phrase(self, name, definite=0.3, plural=0.25, after=("", ""), probability=0.4):
        word = lex.NOUNS[name]
        adjectives = self.adjectives(word, probability)
        if name not in UNCOUNTED and self.chance(plural):
            if self.chance(definite):
                return Phrase(word, "the", adjectives, True, after=after)
            quantities = lex.NUMBERS * 2 + lex.QUANTITIES
            return Phrase(
                word, "", adjectives, True, self.random.choice(quantities), after
            )
        return Phrase(
            word, "the" if self.chance(definite) else "a", adjectives, after=after
        )

    def known(self, name, probability=0.25):
        """The noun with the definite article."""
        return Phrase(
            lex.NOUNS[name], adjectives=self.adjectives(lex.NOUNS[name], probability)
        )

    def agents(self, kinds):
        """Names of nouns that may do it: by group, by tag, or the noun itself."""
        wanted = set().union(*(GROUPS.get(kind, {kind}) for kind in kinds))
        return [
            name
            for name, word in lex.NOUNS.items()
            if name in wanted or word.tags & wanted
        ]

    def attribute(self, name, plural):
        """What a person wears or has with them: in a red coat, with an umbrella."""
        (preposition, german), nouns = self.random.choice(
            [(("in", "in"), WORN), (("with", "mit"), CARRIED)]
        )
        noun = self.random.choice(nouns)
        if noun == "dress" and name not in ("woman", "girl"):
            noun = "shirt"
        word = lex.NOUNS[noun]
        phrase = Phrase(word, "" if plural else "a", self.adjectives(word, 0.6), plural)
        return f"{preposition} {phrase.english()}", f"{german} {phrase.german(DATIVE)}"

    def subject(self, kinds, attribute=0.2, plural=0.3, definite=0.3):
        names = self.agents(kinds)
        name = self.random.choice(names)
        phrase = self.phrase(name, definite, 1 if "many" in kinds else plural)
        if "person" not in phrase.word.tags:
            return phrase
        couple = [name for name in ("man", "woman", "boy", "girl") if name in names]
        if len(couple) > 1 and self.chance(0.4 if "many" in kinds else 0.05):
            return Pair(
                *(
                    Phrase(lex.NOUNS[name], "a")
                    for name in self.random.sample(couple, 2)
                )
            )
        if "job" not in phrase.word.tags and self.chance(attribute):
            return replace(phrase, after=self.attribute(name, phrase.plural))
        return phrase

    # adverbials: (English, German)

    def beside(self):
        preposition, german = self.random.choice(lex.BESIDE)
        phrase = self.known(self.random.choice(lex.LANDMARKS), 0.3)
        return f"{preposition} {phrase.english()}", prepositional(
            german, phrase.german(DATIVE)
        )

    def seat(self, base, subject):
        choices = lex.SEATS
        if base in ("lie", "sleep", "rest"):
            choices = [seat for seat in lex.SEATS if seat[2] in BEDS]
        elif "wing" in subject.word.tags:
            choices = [seat for seat in lex.SEATS if seat[2] in PERCHES]
        elif subject.plural:  # several people do not share a chair
            choices = [seat for seat in lex.SEATS if seat[2] != "chair"]
        preposition, german, name = self.random.choice(choices)
        phrase = self.phrase(name, definite=0.25, plural=0)
        source, target = (
            f"{preposition} {phrase.english()}",
            prepositional(german, phrase.german(DATIVE)),
        )
        if name in PERCHES and self.chance(0.3):
            beside = self.beside()
            return f"{source} {beside[0]}", f"{target} {beside[1]}"
        return source, target

    def place(self, activity, subject):
        kind = self.random.choice(sorted(activity.places))
        if kind == "beside":
            return self.beside()
        if kind == "seat":
            return self.seat(activity.base, subject)
        return self.located(
            self.random.choice([place for place in lex.PLACES if place.kind == kind])
        )

    def located(self, place):
        phrase = self.known(place.noun)
        return f"{place.english} {phrase.english()}", prepositional(
            place.german, phrase.german(DATIVE)
        )

    def direction(self, movers):
        """The adverbial, and the prefix it lends to the verb: am Fluss (entlang)."""
        preposition, german, case, prefix, nouns, _ = self.random.choice(
            [row for row in act.DIRECTIONS if row[5] & movers]
        )
        phrase = self.known(self.random.choice(nouns))
        return (
            f"{preposition} {phrase.english()}",
            prepositional(german, phrase.german(case)),
        ), prefix

    # clauses

    def objects(self, activity, subject):
        """The object's slot, and its text in the case the verb governs."""
        names = [name for name in activity.objects if name != subject.word.singular]
        plural = 0 if activity.base in SINGLY else 0.15
        phrase = self.phrase(
            self.random.choice(names), definite=0.25, plural=plural, probability=0.5
        )
        if activity.base in GARMENTS:  # everyone has one of their own
            phrase = Phrase(
                phrase.word,
                "" if subject.plural else "a",
                phrase.adjectives,
                subject.plural,
            )
        *preposition, case = activity.government.split()
        german = phrase.german(CASES[case])
        if preposition:
            return "complement", (
                phrase.english(),
                prepositional(preposition[0], german),
            )
        known = phrase.determiner == "the"
        return "known" if known else "object", (phrase.english(), german)

    def clause(
        self,
        activities=ACTIVITIES,
        place=0.7,
        time=0.12,
        subject=None,
        kinds=None,
        **options,
    ):
        """`kinds` narrows who may be the subject; `options` are those of subject()."""
        activity = self.random.choice(activities)
        subject = subject or self.subject(
            activity.agents & kinds if kinds else activity.agents, **options
        )
        slots = {}
        if activity.objects:
            name, text = self.objects(activity, subject)
            slots[name] = text
        if activity.complement:
            slots["complement"] = ("", activity.complement)
        placed = activity in act.POSTURES or activity.places == {"zoo"}
        if activity.places and (placed or self.chance(place)):
            slots["place"] = self.place(activity, subject)
        if self.chance(time):
            winter = "snowman" in activity.objects
            slots["time"] = self.random.choice(
                [pair for pair in lex.TIMES if not winter or pair[0] in lex.SNOWY]
            )
        if activity.base in act.ADVERBS and self.chance(0.2):
            slots["adverb"] = self.random.choice(act.ADVERBS[activity.base])
        return Clause(subject, activity.ing, activity.base, activity.verb, slots)

    def motion(self, activities=None, time=0.15, **options):
        activity = self.random.choice(activities or act.MOTION[:3] * 3 + act.MOTION[3:])
        subject = self.subject(activity.agents, **options)
        movers = {"walker" if kind == "person" else kind for kind in activity.agents}
        if "person" in subject.word.tags and activity.base != "cycle":
            movers.add("person")
        direction, prefix = self.direction(movers)
        slots = {"direction": direction}
        if activity.complement:
            slots["adverb"] = ("", activity.complement)
        elif activity.base in act.ADVERBS and self.chance(0.25):
            slots["adverb"] = self.random.choice(act.ADVERBS[activity.base])
        if self.chance(time):
            slots["time"] = self.random.choice(lex.TIMES)
        return Clause(
            subject,
            activity.ing,
            activity.base,
            replace(activity.verb, prefix=prefix),
            slots,
        )
