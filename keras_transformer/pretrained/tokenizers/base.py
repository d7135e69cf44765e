"""What the tokenizers of checkpoints share: a vocabulary, and the folder to keep it.

kind.json     which tokenizer it is, its options, and what its ids mean
pieces.json   the piece of text that each id stands for
*.spm         its SentencePiece models; merges.txt for FSMT
"""

import dataclasses
import functools
import json
import re

from ...config import expect
from ...runs.sealed_files import write_json, written_aside
from ...text.lines import checked_texts
from ...text.special_tokens import NO_TOKEN, SpecialTokens
from ...text.tokenizer import as_ids

# The piece of a row of the model that no token has: with its space no text spells it.
UNUSED = "<unused {}>"
LARGEST_VOCABULARY = 1 << 22  # tokens: sixteen times NLLB's
# Each is looked for at each place of a text.
MOST_MARKS = 1 << 12
# A pattern that is found nowhere, in Python and in TensorFlow.
NOTHING = r"[^\s\S]"
# Fields of a `Vocabulary` that are lists of ids.
LISTS_OF_IDS = ("hidden", "source_prefix", "source_suffix", "target_prefix")


def checked(name, value, *kinds):
    """The value, if its type is one of `kinds`; a `ValueError` otherwise."""
    expect(type(value) in kinds, name, f"be a {kinds[0].__name__}", str(value)[:60])
    return value


def check_id(name, number, size):
    """Raise a `ValueError` unless a number is one of so many ids."""
    is_id = type(number) is int and 0 <= number < size
    expect(is_id, name, f"have ids between 0 and {size - 1}", number)


@dataclasses.dataclass
class Vocabulary:
    """The pieces of a checkpoint's vocabulary, and the ids that mean something.

    Args:
        pieces: the piece of text that each id stands for, no two the same.
        special: the ids of pad, unknown, begin and end.
        marks: pieces that a text means when it spells them, as transformers reads
            `"</s>"`; decoding leaves them out.
        hidden: further ids that decoding leaves out, such as those of languages.
        source_prefix: ids before each source sentence.
        source_suffix: ids after it.
        target_prefix: ids that each translation must begin with.
    """

    pieces: tuple[str, ...]
    special: SpecialTokens
    marks: tuple[str, ...] = ()
    hidden: tuple[int, ...] = ()
    source_prefix: tuple[int, ...] = ()
    source_suffix: tuple[int, ...] = ()
    target_prefix: tuple[int, ...] = ()

    def __post_init__(self):
        for name in ("pieces", "marks", *LISTS_OF_IDS):
            values = checked(name, getattr(self, name), list, tuple)
            setattr(self, name, tuple(values))
        size = len(self.pieces)
        for piece in self.pieces:
            checked("each of pieces", piece, str)
        repeated = size - len(self.ids)
        expect(repeated == 0, "pieces", "differ from each other", f"{repeated} twice")
        number = len(self.marks)
        expect(number <= MOST_MARKS, "marks", f"be at most {MOST_MARKS:,}", number)
        for mark in self.marks:
            is_piece = mark != "" and mark in self.ids
            expect(is_piece, "marks", "be in the vocabulary", str(mark)[:40])
        ids = {name: getattr(self, name) for name in LISTS_OF_IDS}
        special = self.special
        may_lack = {special.pad, special.unknown} - {NO_TOKEN}
        ids["special"] = {*may_lack, special.begin, special.end}
        for name, numbers in ids.items():
            for number in numbers:
                check_id(name, number, size)

    @functools.cached_property
    def ids(self):
        """The id of each piece."""
        return {piece: number for number, piece in enumerate(self.pieces)}

    @functools.cached_property
    def skipped(self):
        """The ids that decoding leaves out."""
        marks = [self.ids[mark] for mark in self.marks]
        unused = [n for n, piece in enumerate(self.pieces) if piece == UNUSED.format(n)]
        special = dataclasses.astuple(self.special)
        return {*special, *self.hidden, *marks, *unused}


class CheckpointTokenizer:
    """The base class of the tokenizers of checkpoints, whose ids are their own.

    As with `transformers`, text that spells one of `vocabulary.marks` means it:
    `"</s>"` is the end token. Decoding leaves out the marks, the other special tokens
    and the hidden ids.

    A subclass has `_encode_text(text)`, which gives the ids of a text between marks,
    and `_decode_pieces(pieces)`, which gives the text that the pieces of a line make.

    `models` are the contents of the files that cut text into pieces, by name; `options`
    is what else the tokenizer needs to be made again, as JSON can hold it.
    """

    kind = None  # what kind.json calls it
    needs = ()  # the names of its files
    markup = None  # no symbols for it
    marks_word_ends = False  # and not where they begin

    def __init__(self, vocabulary, models, **options):
        self.vocabulary = vocabulary
        self.models = models
        self.options = options
        self.pieces = list(vocabulary.pieces)
        self.vocab_size = len(self.pieces)
        self.special = vocabulary.special
        self.source_prefix = vocabulary.source_prefix
        self.source_suffix = vocabulary.source_suffix
        self.target_prefix = vocabulary.target_prefix
        longest_first = sorted(vocabulary.marks, key=len, reverse=True)
        any_mark = "|".join(map(re.escape, longest_first))
        self.marks = f"({any_mark or NOTHING})"

    def encode(self, lines):
        """The ids of each of a list of lines, without those around a sentence."""
        return [self._encode_line(line) for line in checked_texts(lines, "lines")]

    def decode(self, ids):
        """The text of each list of ids, without special tokens (unknown is one)."""
        last = self.vocab_size - 1
        texts = []
        for row in ids:
            shown = []
            for number in as_ids(row):
                expect(0 <= number <= last, "ids", f"lie between 0 and {last}", number)
                if number not in self.vocabulary.skipped:
                    shown.append(number)
            texts.append(self._decode_ids(shown))
        return texts

    @property
    def language_ids(self):
        """The id of each language, by its code."""
        hidden = self.vocabulary.hidden
        return {self.pieces[number].strip("_"): number for number in hidden}

    @property
    def languages(self):
        """Those of the `language_ids` between which there is a choice."""
        is_fixed = self.special.begin in self.vocabulary.hidden  # the model's, too
        return {} if is_fixed else self.language_ids

    def in_language(self, ids, code):
        """Ids around a sentence, with that language, if known, for any other."""
        known = self.language_ids
        hidden = known.values()
        new = known.get(code)
        if new is None:
            return tuple(ids)
        return tuple(new if number in hidden else number for number in ids)

    def with_languages(self, source, target):
        """The tokenizer for other languages, given by their codes."""
        sides = dict(source_prefix=source, source_suffix=source, target_prefix=target)
        around = {}
        for name, code in sides.items():
            around[name] = self.in_language(getattr(self, name), code)
        return self.with_ids(**around)

    def with_ids(self, **around):
        """The tokenizer with other ids around a sentence."""
        vocabulary = dataclasses.replace(self.vocabulary, **around)
        return type(self)(vocabulary, self.models, **self.options)

    def save(self, path):
        """Write the folder that keeps the tokenizer; it appears only when complete."""
        meaning = dataclasses.asdict(self.vocabulary)
        pieces = json.dumps(meaning.pop("pieces"), ensure_ascii=False, indent=0)
        kind = {"kind": self.kind, **self.options, **meaning}
        with written_aside(path) as aside:
            aside.mkdir()
            write_json(aside / "kind.json", kind)
            (aside / "pieces.json").write_text(pieces, encoding="utf-8")
            for name, content in self.models.items():
                (aside / name).write_bytes(content)

    def _encode_line(self, line):
        ids = []
        for number, part in enumerate(re.split(self.marks, line)):
            if number % 2:  # a text, a mark, a text, ...
                ids.append(self.vocabulary.ids[part])
            elif part:
                ids += self._encode_text(part)
        return ids

    def _decode_ids(self, ids):
        return self._decode_pieces([self.pieces[number] for number in ids])

    def _lookup(self, pieces):
        ids = self.vocabulary.ids
        return [ids.get(piece, self.special.unknown) for piece in pieces]
