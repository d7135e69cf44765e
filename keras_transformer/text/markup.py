"""Markup and placeholders: what a translation must hold as its source does."""

import collections
import dataclasses
import functools
import itertools
import re

from ..config import expect, one_of, refused

MOST = 24  # different marks of a sentence that a model can copy
# With a Greek dot, as in the special pieces: no text spells them.
DOT = "\u0387"
SYMBOLS = tuple(f"<{DOT}m{number}>" for number in range(MOST))
SYMBOL = re.compile(rf"<{DOT}m(\d+)>")
URL = r"https?://[^\s<>\"`]*[^\s<>\"`.,;:!?)]"
PUNCTUATION = re.compile(r"[^\w\s]|_")
CONVERSION = r"(?:hh?|ll?|[qjztL])?[diouxXeEfFgGaAcsp]"
# The kinds of marks that each preset has.
PRESETS = {
    "printf": (rf"%(?:\d+\$)?[-+#0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?{CONVERSION}", "%%"),
    "python-format": (
        r"%\(\w+\)[-+ #0]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]",
        r"%[-+#0]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]",
        "%%",
        r"\{[\w.\[\]]*(?:![rsa])?(?::[^{}]*)?\}",
    ),
    "icu": (
        # The messages inside of a plural or a choice are text.
        r"\{\s*\w+\s*,\s*(?:plural|selectordinal|select)\s*,\s*(?:offset:\d+\s*)?"
        r"=?\w+\s*\{",
        r"\}\s*=?\w+\s*\{",
        r"\}\s*\}",
        r"\{\s*\w+\s*(?:,[^{}]*)?\}",
    ),
    "html": (
        r"<!--.*?-->",
        r"</?[A-Za-z][\w:-]*(?:\s[^<>]*)?/?>",
        r"&(?:#\d+|#x[0-9A-Fa-f]+|\w+);",
        URL,
    ),
    "rst": (
        r"``.+?``(?!`)",
        r":[\w.+-]+(?::[\w.+-]+)*:`[^`]*`",
        r"`[^`]+`_{1,2}",
        r"\*\*[^*]+\*\*",
        r"\|\w[^|]*\|",
        r"\[[#*\w.]+\]_",
        URL,
    ),
    "markdown": (
        r"``.+?``(?!`)",
        r"`[^`]+`",
        r"!?\[(?=[^\]]*\]\()",
        r"\]\([^()\s]+(?:\s\"[^\"]*\")?\)",
        r"\*\*|__",
        URL,
    ),
}


@dataclasses.dataclass(frozen=True)
class Markup:
    """What counts as markup; each different mark of a sentence becomes a symbol.

    A model copies symbols: it never sees what they stand for.

    Args:
        presets: some of `PRESETS`.
        pattern: a regular expression of one's own marks, which come first.

    Raises:
        ValueError: if a preset is unknown, or the pattern is none, matches the empty
            text, or cannot stand beside others, as with a numbered reference to one of
            its groups.

    Examples:
        >>> from keras_transformer.text.markup import Markup, counts_of
        >>> markup = Markup(("python-format",))
        >>> text, marks = markup.protect("{n} of {n} files in %s")
        >>> marks
        ('{n}', '%s')
        >>> markup.restore(text, marks, counts_of(text))
        ('{n} of {n} files in %s', ())
    """

    presets: tuple[str, ...]
    pattern: str | None = None

    def __post_init__(self):
        for name in self.presets:
            one_of("markup", name, PRESETS)
        if self.pattern is None:
            return
        try:
            matches_nothing = re.match(self.pattern, "") is not None
            self._matches("")  # beside the presets it may be no pattern
        except re.error as error:
            must = f"be a regular expression ({error})"
            raise refused("markup_pattern", must, self.pattern) from None
        must = "not match the empty text"
        expect(not matches_nothing, "markup_pattern", must, self.pattern)

    @classmethod
    def of(cls, config):
        """That of a `DataConfig`; None where it has none."""
        if config.markup is None and config.markup_pattern is None:
            return None
        names = [] if config.markup is None else config.markup.split(",")
        return cls(tuple(name.strip() for name in names), config.markup_pattern)

    @functools.cached_property
    def _marks(self):
        kinds = [kind for name in self.presets for kind in PRESETS[name]]
        if self.pattern is not None:
            kinds.insert(0, self.pattern)
        named = [f"(?P<kind{n}>{kind})" for n, kind in enumerate(kinds)]
        return re.compile("|".join(named), re.DOTALL)

    def _matches(self, text):
        """The marks of a text as matches, without empty ones, as of `\\b`."""
        return [match for match in self._marks.finditer(text) if match[0]]

    def _replaced(self, text, symbol):
        """A text, without symbols of its own, with `symbol(match)` for each mark."""

        def of_match(match):
            return symbol(match) if match[0] else ""

        return self._marks.sub(of_match, without_symbols(text))

    def protect(self, text):
        """A text with symbols, and the marks that they stand for, in their order.

        Marks after the first `MOST` different ones stay text.
        """
        numbers = {}

        def symbol(match):
            mark = match[0]
            if mark not in numbers and len(numbers) == MOST:
                return mark
            return SYMBOLS[numbers.setdefault(mark, len(numbers))]

        return self._replaced(text, symbol), tuple(numbers)

    def marks_in(self, text):
        """The marks of a text, as they stand there."""
        return [match[0] for match in self._matches(text)]

    def places(self, text):
        """Where the marks of a text are: pairs of start and end."""
        return [match.span() for match in self._matches(text)]

    def symbols_in(self, target, marks):
        """A translation with symbols for those of its marks that its source has."""
        numbers = {mark: number for number, mark in enumerate(marks)}

        def symbol(match):
            number = numbers.get(match[0])
            return match[0] if number is None else SYMBOLS[number]

        return self._replaced(target, symbol)

    def protect_pair(self, source, target):
        """Both texts with the same symbols; None if their marks do not fit.

        What a translator wrote in place of a mark, such as its text in the other
        language, has its symbol too: marks that are not the same on both sides belong
        together, in their order, if they are of one kind.
        """
        masked, marks = self.protect(source)
        left = self._matches(without_symbols(source))
        found = self._matches(without_symbols(target))
        chosen = {}
        for is_same in (same_text, same_kind):
            for match in found:
                same = [mark for mark in left if is_same(mark, match)]
                if match not in chosen and same:
                    left.remove(same[0])
                    chosen[match] = same[0][0]
        if left or len(chosen) < len(found) or not set(chosen.values()) <= set(marks):
            return None
        marks_of_target = iter(found)

        def symbol(_):
            return SYMBOLS[marks.index(chosen[next(marks_of_target)])]

        return masked, self._replaced(target, symbol)

    def restore(self, text, marks, counts, others=()):
        """A translation with its marks again, and the marks that it has lost.

        A symbol that the source has not, or not as often, is left out. Where the text
        around its symbols would make a mark of its own, it loses its punctuation there.

        Args:
            text: the translation, with symbols.
            marks: as from `protect`.
            counts: of the source's symbols, as from `counts_of`.
            others: marks that the source has as text.
        """
        left = list(counts)
        parts = []  # text and marks in turns
        end = 0
        for match in SYMBOL.finditer(text):
            parts.append(text[end : match.start()])
            end = match.end()
            number = int(match[1])
            is_wanted = number < len(marks) and left[number] > 0
            if is_wanted:
                left[number] -= 1
            parts.append(marks[number] if is_wanted else "")
        parts.append(text[end:])
        lost = [(marks[n],) * left[n] for n in range(len(marks))]
        return self._joined(parts, others), sum(lost, ())

    def _joined(self, parts, others):
        """Text and marks in turns as one text, with no marks but these and others."""
        while True:
            text = "".join(parts)
            invented = self._invented(text, parts, others)
            if invented is None:
                return text
            before = parts
            parts = without_punctuation(before, *invented)
            if parts == before:
                return text

    def _invented(self, text, parts, others):
        """Where the first mark is that is neither a part nor one of the others."""
        ends = [0, *itertools.accumulate(map(len, parts))]
        known = set(itertools.pairwise(ends))
        left = collections.Counter(others)
        for start, end in self.places(text):
            mark = text[start:end]
            if (start, end) in known:
                continue
            if left[mark] == 0:
                return start, end
            left[mark] -= 1
        return None


def without_punctuation(parts, start, end):
    """Text and marks in turns, with no punctuation of the text between two places.

    A conversion such as `%d` keeps its percent sign, with a space; two marks without
    text get one between them.
    """
    found = []
    place = 0
    for number, part in enumerate(parts):
        is_text = number % 2 == 0
        begin = max(0, start - place)
        stop = max(0, end - place)
        inner = part[begin:stop]
        place += len(part)
        if is_text and not part and start < place < end:
            part = " "
        elif is_text and inner.startswith("%") and not inner.startswith("% "):
            part = f"{part[:begin]}% {part[begin + 1 :]}"
        elif is_text:
            part = part[:begin] + PUNCTUATION.sub("", inner) + part[stop:]
        found.append(part)
    return found


def same_text(mark, other):
    """Whether two matches are of one text."""
    return mark[0] == other[0]


def same_kind(mark, other):
    """Whether two matches are of one kind of marks."""
    return mark.lastgroup == other.lastgroup


def without_symbols(text):
    """A text that spells none of our symbols; composition does the same to it."""
    return text.replace(DOT, "\u00b7")


def counts_of(text):
    """How often a text has each of the `SYMBOLS`."""
    counts = [0] * MOST
    for number in SYMBOL.findall(text):
        counts[int(number)] += 1
    return counts
