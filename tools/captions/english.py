"""English: articles, number, and the present progressive."""


def indefinite(word):
    return "an" if word[0] in "aeiou" else "a"


def be(plural):
    return "are" if plural else "is"


def noun_phrase(
    singular, plural_form, determiner="the", adjectives=(), plural=False, quantity=""
):
    """Determiner "the", "a" or "" (none); "a" agrees with the sound that follows."""
    words = [*adjectives, plural_form if plural else singular]
    if quantity:
        words.insert(0, quantity)
    if determiner == "the":
        words.insert(0, "the")
    elif determiner == "a" and not plural:
        words.insert(0, indefinite(words[0]))
    return " ".join(words)


def clause(subject, plural, ing, middle):
    """two girls + sitting + on a bench -> two girls are sitting on a bench"""
    return " ".join(part for part in (subject, be(plural), ing, middle) if part)


def sentence(text):
    return text[0].upper() + text[1:] + "."
