"""Filters of pairs: what each repairs or drops.

Each is a field of `FilterConfig`. A filter's function takes source and target and says
whether the pair goes; a repair's takes both and gives both.
"""

import html
import itertools
import re
from collections import Counter

import ftfy

from ..config import expect
from ..process.extras import needed
from ..text.normalization import has_text
from ..text.scripts import script_of
from .duplicates import WORD, exactly, first_ones, roughly
from .reading import LANGUAGES, speaks

LOST = "\ufffd"  # stands where a character could not be decoded
# Control characters but white space, and what Unicode says is no character.
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
QUOTED = re.compile(r"(?::[\w:+-]+:)?`+[^`]*`+")
# What is no prose: markup, addresses, and words with signs of code inside.
CODE = re.compile(
    QUOTED.pattern
    + r"|<[^<>]*>|\w+://\S+|\S*[=_{}\\/<>@#$|]\S*|\S+\(\S*|\S*\w\.\w{2,}\S*|%\w"
)
# The name may be a placeholder's that is translated, in any script.
TAG = re.compile(r"<(/?)([^\W\d_][\w:-]*)[^<>]*?(/?)>")
VOID = ("br", "hr", "img", "input", "li", "link", "meta", "p", "wbr")
# Letters of a single word that is a name; a tenth in scripts without capitals.
LONGEST_NAME = 40
SAMPLE = 1000  # pairs whose scripts are the usual ones
USUAL = 0.02  # of the letters of a side
ADDED = 20  # characters, so that short sides may differ
LETTERS = 25  # with fewer no language can be told
CERTAIN = 0.95  # probability of another language


def repair_encoding(source, target):
    """Text that was decoded by the wrong encoding, decoded again by ftfy."""
    sides = [source, target]
    return [text if text.isascii() else ftfy.fix_encoding(text) for text in sides]


def repair_controls(source, target):
    """Text without control characters."""
    return CONTROLS.sub("", source), CONTROLS.sub("", target)


def repair_entities(source, target):
    """The characters of entities, such as `&amp;`, that one side alone has."""
    sides = [source, target]
    found = [Counter(ENTITY.findall(text)) for text in sides]
    if found[0] == found[1]:
        return sides
    return [html.unescape(text) for text in sides]


def is_lost(source, target):
    """Whether something could not be decoded; a sign that is quoted is meant."""
    return any(LOST in QUOTED.sub("", text) for text in (source, target))


def is_empty(source, target):
    """Whether a side has nothing to be seen."""
    return not (has_text(source) and has_text(target))


def is_copy(source, target):
    """Whether both sides are the same prose."""
    return source.strip() == target.strip() and not is_name_or_code(source)


def is_name_or_code(text):
    """Whether a text may stay as it is in another language.

    What remains without markup and code is one word at most, or fewer than half of
    its words begin without a capital.
    """
    words = WORD.findall(CODE.sub(" ", text))
    if len(words) < 2:
        word = "".join(words)
        is_cased = word.lower() != word.upper()
        return len(word) <= (LONGEST_NAME if is_cased else LONGEST_NAME // 10)
    plain = [word for word in words if not word[0].isupper()]
    return 2 * len(plain) < len(words)


def is_unbalanced(source, target):
    """Whether one side alone has tags that do not match, or quotes of code."""
    sides = (source, target)
    tags = [has_loose_tags(text) for text in sides]
    quotes = [text.count("`") for text in sides]
    are_odd = [count % 2 for count in quotes]
    return tags[0] != tags[1] or (all(quotes) and are_odd[0] != are_odd[1])


def has_loose_tags(text):
    """Whether a tag is not closed, or another one."""
    if "<" not in text:
        return False
    tags = Counter()
    for closing, name, is_single in TAG.findall(QUOTED.sub("", text)):
        if not is_single and name.lower() not in VOID:
            change = -1 if closing else 1
            tags[name] += change
    return any(tags.values())


def length_filter(config):
    """What drops sides too long, or too unlike in length."""

    def is_unlikely(source, target):
        lengths = (len(source), len(target))
        longer = max(lengths) + ADDED
        shorter = min(lengths) + ADDED
        is_long = max(lengths) > config.max_characters
        return is_long or longer > config.max_character_ratio * shorter

    return is_unlikely


def script_filter(pairs):
    """What drops sides in a script that is rare on that side of some pairs."""
    usual = [usual_scripts(side) for side in zip(*pairs)]

    def is_foreign(text, known):
        if not known or (text.isascii() and "LATIN" in known):
            return False
        scripts = scripts_of(text)
        inside = sum(scripts[name] for name in known)
        return 2 * inside < scripts.total() and not is_name_or_code(text)

    def has_other_script(source, target):
        return any(map(is_foreign, (source, target), usual))

    return has_other_script


def usual_scripts(texts):
    """The most frequent script of some texts, and those that stand beside it."""
    each = [scripts_of(text) for text in texts]
    total = sum(each, Counter())
    first = max(total, key=total.get, default=None)
    beside = sum((scripts for scripts in each if scripts[first]), Counter())
    least = USUAL * total.total()
    return {name for name in beside if least <= total[name] <= 2 * beside[name]}


def scripts_of(text):
    """How many letters a text has of each script."""
    scripts = Counter()
    for letter, count in Counter(filter(str.isalpha, text)).items():
        scripts[script_of(letter)] += count
    return scripts


def language_filter(languages):
    """What drops sides that are certainly in another language."""
    needed("py3langid", extra="data")
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    expect(languages, LANGUAGES, "be given with drop_language", languages)
    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    labels = sorted({str(label) for label in detector.labels})
    for code in languages:
        is_known = any(speaks(code, label) for label in labels)
        must = f"be known to py3langid with drop_language: {', '.join(labels)}"
        expect(is_known, LANGUAGES, must, code)

    def is_other(text, language):
        if len(WORD.sub("", text)) + LETTERS > len(text):
            return False
        found, probability = detector.classify(text)
        is_known = found != "zxx"  # no language at all
        return is_known and probability > CERTAIN and not speaks(language, str(found))

    def has_other_language(source, target):
        return any(map(is_other, (source, target), languages))

    return has_other_language


def cleaned(pairs, config, report):
    """The pairs that the filters of a config leave, repaired; the report counts."""
    repairs = [repair_encoding, repair_controls, repair_entities]
    repairs = [one for one in repairs if getattr(config, one.__name__)]
    stream = iter(pairs)
    head = list(itertools.islice(stream, SAMPLE))
    languages = getattr(pairs, "languages", None)
    filters = dict(filters_of(config, head, languages))
    stream = judged(itertools.chain(head, stream), repairs, filters, report)
    if config.drop_duplicates:
        stream = first_ones(stream, exactly, report, "drop_duplicates")
    if config.drop_near_duplicates:
        stream = first_ones(stream, roughly, report, "drop_near_duplicates")
    return stream


def filters_of(config, head, languages):
    """The names and functions of the filters that are on."""
    yield "empty", is_empty
    if config.repair_encoding:
        yield "repair_encoding", is_lost
    if config.drop_lengths:
        yield "drop_lengths", length_filter(config)
    if config.drop_copies:
        yield "drop_copies", is_copy
    if config.drop_script:
        yield "drop_script", script_filter(head)
    if config.drop_language:
        yield "drop_language", language_filter(languages)
    if config.drop_markup:
        yield "drop_markup", is_unbalanced


def judged(pairs, repairs, filters, report):
    """The pairs that no filter drops, repaired."""
    for pair in pairs:
        report.read += 1
        for repair in repairs:
            found = tuple(repair(*pair))
            if found != pair:
                report.note(report.repaired, repair.__name__, pair)
                pair = found
        reason = next((name for name, drops in filters.items() if drops(*pair)), None)
        if reason is None:
            yield pair
        else:
            report.note(report.dropped, reason, pair)
