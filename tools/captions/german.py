"""German inflection: nouns, articles, adjectives, contractions, the verb's places."""

from dataclasses import dataclass

NOMINATIVE, ACCUSATIVE, DATIVE = range(3)
COLUMNS = "mfnp"  # masculine, feminine, neuter, plural


def _table(text):
    """Rows are cases, columns the genders and the plural; "-" is the empty ending."""
    rows = [line.split() for line in text.strip().splitlines()]
    return [
        dict(zip(COLUMNS, (form.strip("-") for form in row), strict=True))
        for row in rows
    ]


DEFINITE = _table("""
    der  die  das  die
    den  die  das  die
    dem  der  dem  den
""")
INDEFINITE = _table("""
    ein    eine   ein    -
    einen  eine   ein    -
    einem  einer  einem  -
""")
STRONG = _table("""
    er  e   es  e
    en  e   es  e
    em  er  em  en
""")
WEAK = _table("""
    e   e   e   en
    en  e   e   en
    en  en  en  en
""")
MIXED = _table("""
    er  e   es  en
    en  e   es  en
    en  en  en  en
""")
RELATIVE = _table("""
    der  die  das  die
    den  die  das  die
    dem  der  dem  denen
""")
CONTRACTIONS = {
    "an dem": "am",
    "in dem": "im",
    "von dem": "vom",
    "zu dem": "zum",
    "zu der": "zur",
    "in das": "ins",
    "an das": "ans",
}


@dataclass(frozen=True)
class Noun:
    """A noun; a weak one takes its plural form in all cases but the nominative."""

    singular: str
    plural: str
    gender: str
    weak: bool = False

    def decline(self, case, plural=False):
        if plural:
            return self.plural + (
                "n" if case == DATIVE and self.plural[-1] not in "ns" else ""
            )
        return self.plural if self.weak and case != NOMINATIVE else self.singular


def attributive(adjective):
    """The stem that takes endings: dunkl-, teur-, hoh-, müd-."""
    if adjective == "hoch":
        return "hoh"
    if adjective.endswith("e"):
        return adjective[:-1]
    return (
        adjective[:-2] + adjective[-1]
        if adjective.endswith(("el", "euer"))
        else adjective
    )


def noun_phrase(noun, case, determiner="der", adjectives=(), plural=False, quantity=""):
    """A noun phrase in a case.

    The determiner is "der", "ein" or "" (none); quantity is a word such as zwei or
    einige before the adjectives.
    """
    column = "p" if plural else noun.gender
    words = []
    if determiner == "der":
        words.append(DEFINITE[case][column])
    elif determiner == "ein" and not plural:
        words.append(INDEFINITE[case][column])
    if quantity:  # einige, mehrere and viele are declined, numerals are not
        words.append(
            quantity
            + (
                "n"
                if quantity in ("einige", "mehrere", "viele") and case == DATIVE
                else ""
            )
        )
    endings = (
        WEAK if determiner == "der" else STRONG if plural or not determiner else MIXED
    )
    words += [
        attributive(adjective) + endings[case][column] for adjective in adjectives
    ]
    return " ".join([*words, noun.decline(case, plural)])


def prepositional(preposition, phrase):
    """Join and contract: an + dem alten Bahnhof -> am alten Bahnhof."""
    first, *rest = phrase.split(" ")
    pair = f"{preposition} {first}"
    return " ".join([CONTRACTIONS.get(pair, pair), *rest])


@dataclass(frozen=True)
class Verb:
    """Third person forms; the plural is the infinitive too. A prefix is kept apart."""

    singular: str
    plural: str
    prefix: str = ""
    reflexive: bool = False
    participle: str = ""

    def finite(self, plural):
        return self.plural if plural else self.singular

    def with_zu(self):
        return f"{self.prefix}zu{self.plural}" if self.prefix else f"zu {self.plural}"


def _sentence(*parts):
    return " ".join(part for part in parts if part)


def main_clause(verb, plural, subject, middle, front=""):
    """The finite verb is second, or first with front=None; its prefix is last."""
    finite, sich = verb.finite(plural), "sich" if verb.reflexive else ""
    if front == "":
        return _sentence(subject, finite, sich, middle, verb.prefix)
    return _sentence(front, finite, sich, subject, middle, verb.prefix)


def subordinate_clause(verb, plural, conjunction, subject, middle):
    """The verb is last and joined to its prefix.

    A relative pronoun is a conjunction without a further subject.
    """
    sich = "sich" if verb.reflexive else ""
    return _sentence(
        conjunction, sich, subject, middle, verb.prefix + verb.finite(plural)
    )
