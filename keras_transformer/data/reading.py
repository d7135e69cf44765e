"""What is asked of files of pairs, and what is noted while they are read."""

import collections
import dataclasses
import re

from ..config import expect
from ..text.lines import checked_text
from ..text.normalization import has_text

# Columns that say which side they are.
SIDES = (("source", "target"), ("src", "tgt"), ("src", "trg"))
# Endings that would be codes of languages.
NO_LANGUAGES = ("src", "tgt", "trg", "tok", "xml", "ids", "md", "txt", "log", "py")
# ISO 639-1.
CODES = set(
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs "
    "cu cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv "
    "ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl "
    "km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt "
    "my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru "
    "rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn "
    "to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu".split()
)
# The end of a file's name: train.en, train_en.txt, en.txt.gz, train.en-US, t.zh-Hant;
# after a dot also train.pt_br and train.es_419.
LANGUAGE = re.compile(
    r"(?:^|[._-])("
    r"(?<=\.)[a-z]{2}[_-](?:[a-z]{2}|\d{3})|"
    r"[a-z]{2,3}(?:[_-](?:[A-Z]{2}|[A-Z][a-z]{3}))*"
    r")(?:\.txt)?$"
)
LANGUAGES = "source_language and target_language"
RARE = 0.25  # the share of texts that say another language, and are believed to err


@dataclasses.dataclass
class Reading:
    """One reading of files.

    Attributes:
        languages: the codes of source and target, each None if nobody asks for one.
        columns: the names of two columns, or None.
        skipped: how much is no pair, by reason.
        seen: the languages that the files have.
        sources, targets: how often each language was read, as the files call it.
        is_matched: whether any of their languages is one that is asked for.
    """

    languages: tuple = (None, None)
    columns: tuple | None = None
    skipped: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    seen: set = dataclasses.field(default_factory=set)
    sources: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    targets: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    is_matched: bool = False

    def texts(self, source, target):
        """One pair of two texts, or none if one says nothing."""
        if has_text(source) and has_text(target):
            yield source, target
        else:
            self.skipped["untranslated"] += 1

    def order(self, one, other):
        """The places of source and target among two sides of a file.

        `(0, 1)`, `(1, 0)`, or None, which is counted, if these are other languages; a
        side whose language is None may be any.
        """
        languages = (one, other)
        self.seen.update(filter(None, languages))
        for places in ((0, 1), (1, 0)):
            given = [languages[place] for place in places]
            if all(map(speaks, given, self.languages)):
                self.is_matched = self.is_matched or any(given)
                self.note(*given)
                return places
        self.skipped["other languages"] += 1
        return None

    def places(self, languages, name):
        """The places of source and target among languages, or None, which is counted.

        Raises:
            ValueError: if nobody says which ones are meant.
        """
        self.seen.update(languages)
        source, target = self.languages
        codes = sorted(set(languages))
        is_clear = source and target or len(codes) == 2 and (source or target)
        must = f"be given: {name} has {', '.join(codes)}"
        expect(is_clear, LANGUAGES, must, self.languages)
        if source is None:
            second = place_of(target, languages)
            first = place_of(source, languages, but_for=second)
        else:
            first = place_of(source, languages)
            second = place_of(target, languages, but_for=first)
        if None in (first, second):
            self.skipped["other languages"] += 1
            return None
        self.is_matched = True
        self.note(languages[first], languages[second])
        return first, second

    def note(self, *languages):
        """Count the languages of source and target, each None if nothing says it."""
        for counts, language in zip((self.sources, self.targets), languages):
            if language is not None:
                counts[language] += 1

    def check_is_one_pair(self, name):
        """Raise a `ValueError` if files are of several languages and none is asked for.

        A catalogue among many may have a wrong header.
        """
        for asked, counts in zip(self.languages, (self.sources, self.targets)):
            found = collections.Counter()
            for code, count in counts.items():
                found[primary(code)] += count
            others = found.total() - max(found.values(), default=0)
            must = f"be given: {name} has {', '.join(sorted(found))}"
            is_clear = asked is not None or others <= RARE * found.total()
            expect(is_clear, LANGUAGES, must, self.languages)

    @property
    def usual(self):
        """The languages that most sources and most targets are in, or None.

        A catalogue among hundreds may have a wrong header, and some say nothing.
        """
        source = max(self.sources, key=self.sources.get, default=None)
        target = max(self.targets, key=self.targets.get, default=None)
        is_known = None not in (source, target) and source != target
        return [source, target] if is_known else None

    def keys(self, row, name):
        """The keys, or paths of keys, of source and target in a row of a table, a dict.

        None, which is counted, if the row has no pair.

        Raises:
            ValueError: if nothing says which columns they are.
        """
        if self.columns is not None:
            return [column_named(column, row, name) for column in self.columns]
        by_language = self._keys_by_language(row)
        if by_language:
            languages = list(by_language)
            places = self.places(languages, name)
            if places is None:
                return None
            return [by_language[languages[place]] for place in places]
        names = {key.casefold(): key for key in row}
        for sides in SIDES:
            if all(side in names for side in sides):
                return [names[side] for side in sides]
        paths = list(columns_of(row))
        if sum(isinstance(value_at(row, path), str) for path in paths) < 2:
            # No pair, whichever the columns are: a later row says that.
            self.skipped["untranslated"] += 1
            return None
        is_bare = list(row) == ["1", "2"]
        must = f"be given, two of those of {name}: {', '.join(paths)}"
        expect(is_bare, "columns", must, self.columns)
        return list(row)

    def _keys_by_language(self, row):
        """The keys of a row's texts by language, where it says which they are in."""
        nested = [key for key, value in row.items() if isinstance(value, dict)]
        if len(nested) == 1 and len(row[nested[0]]) > 1:
            (key,) = nested
            return {language: f"{key}.{language}" for language in row[key]}
        codes = []
        if any(self.languages):
            codes = [key for key in row if self.asks_for(key)]
        return {code: code for code in codes} if len(codes) > 1 else {}

    def asks_for(self, code):
        """Whether a language is the source's or the target's."""
        return any(asked and speaks(code, asked) for asked in self.languages)

    def languages_among(self, codes):
        """Which endings of text files of one name are languages, two or more or none.

        One of a pair may be a language that is not among `CODES`; logo.png and logo.svg
        have none.
        """
        known = [c for c in codes if primary(c) in CODES or self.asks_for(c)]
        if known and len(codes) == 2:
            return list(codes)
        return known if len(known) > 1 else []

    def rows(self, rows, name):
        """The pairs of an iterable of rows, which are dicts."""
        keys = None
        for number, row in enumerate(rows, 1):
            keys = keys or self.keys(row, name)
            if keys is None:
                continue
            where = f"{name}, row {number},"
            yield from self.texts(*(text_of(row, key, where) for key in keys))


class Missing:
    """What a row has where it has nothing."""


def speaks(language, asked):
    """Whether a language is the one asked for: en-US is en, and en is not en-US."""
    if language is None or asked is None:
        return True
    code = plain(language)
    return code == plain(asked) or code.startswith(f"{plain(asked)}-")


def plain(code):
    return code.casefold().replace("_", "-")


def primary(code):
    """The language of a code with a region, as "en" of "en_US"; None of none."""
    return code and plain(code).partition("-")[0]


def place_of(asked, languages, but_for=None):
    """Where a language is among others, the very one first; None if it is not.

    The language at the place `but_for` does not count.
    """
    taken = None if but_for is None else languages[but_for]
    places = [n for n, code in enumerate(languages) if code != taken]
    exact = [n for n in places if asked and plain(languages[n]) == plain(asked)]
    like = [n for n in places if speaks(languages[n], asked)]
    return next(iter(exact + like), None)


def column_named(column, row, name):
    """The path of a column in a row, by its whole name or the last part of it."""
    paths = list(columns_of(row))
    inner = [path for path in paths if path.endswith(f".{column}")]
    found = column in paths or inner
    expect(found, "columns", f"be among those of {name}: {', '.join(paths)}", column)
    return column if column in paths else inner[0]


def value_at(row, key):
    """What a row has at a key, or at a path of keys such as `translation.en`."""
    if key in row:
        return row[key]
    first, _, rest = key.partition(".")
    inner = row.get(first)
    return value_at(inner, rest) if rest and isinstance(inner, dict) else Missing


def columns_of(row):
    """The names of a row's columns, with those inside of others."""
    for key, value in row.items():
        if isinstance(value, dict):
            yield from (f"{key}.{name}" for name in columns_of(value))
        else:
            yield key


def text_of(row, key, where):
    """The string in a row's column; "" where there is nothing."""
    value = value_at(row, key)
    is_nan = isinstance(value, float) and value != value  # pandas has it for nothing
    if value is Missing or value is None or is_nan:
        return ""
    return checked_text(value, f"{where} column {key},")


def ends_in(languages):
    """The regular expression of names that end in one of these languages."""
    codes = [re.escape(plain(code)) for code in languages]
    ways = "|".join(code.replace(r"\-", "[_-]") for code in codes)
    return re.compile(rf"(?:^|[._-])({ways})(?:\.txt)?$", re.IGNORECASE)


def languages_in(names):
    """The codes of two languages that the names of two files end with, or None.

    Examples:
        >>> languages_in(["train.en", "train.de"]), languages_in(["a.src", "a.tgt"])
        (['en', 'de'], None)
    """
    found = [language_in(name) for name in names]
    codes = [match[1] for match in found if match]
    return codes if len(set(codes)) == 2 else None


def language_in(name, asked=()):
    """The stem and the language of a text file's name, or None.

    A language that is asked for may have any code, and be written in any way.
    """
    codes = [code for code in asked if code]
    match = codes and ends_in(codes).search(name) or LANGUAGE.search(name)
    if match is None or match[1] in NO_LANGUAGES:
        return None
    rest = name[match.end(1) :]
    return name[: match.start(1)] + "*" + rest, match[1]
