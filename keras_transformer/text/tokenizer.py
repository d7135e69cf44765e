"""Strings to token ids and back, by SentencePiece."""

import contextlib
import io
import itertools
import operator
import re
import tempfile
from collections.abc import Iterable

import sentencepiece

from ..config import expect, expect_sizes, refused
from ..config.fields import LARGEST_COUNT
from ..process.bars import advance
from ..runs.sealed_files import read_regular, written_aside
from . import normalization
from .lines import checked_texts
from .markup import SYMBOL, SYMBOLS
from .special_tokens import SpecialTokens

OF_IDS = "be lists of integers, one for each text"
LARGEST_MODEL = 1 << 26  # bytes: a hundred times what 30,000 tokens need
LARGEST_SAMPLE = 5_000_000  # lines: the trainer holds what it learns from in memory
# Characters: the trainer leaves out lines of more than 4,192 bytes if not told
# otherwise, and fails with words of some hundred thousand characters.
LONGEST_PART = 4192
# With a Greek dot, which composition replaces by another: no text spells them.
PIECES = {
    "pad_piece": "<\u0387pad>",
    "unk_piece": "<\u0387unk>",
    "bos_piece": "<\u0387s>",
    "eos_piece": "<\u0387/s>",
}
# How SentencePiece says that a size is wrong: one token a character, and the special
# and byte tokens, or as many as the lines give.
BOUNDS = {
    "at least": r"smaller than required_chars\. \d+ vs (\d+)",
    "at most": r"too high .* value <= (\d+)",
}


class Tokenizer:
    """A SentencePiece model whose special ids are ours.

    They are pad 0, unknown 1, begin 2, end 3. Text is normalised by the one rule of
    `text.normalization`, so for text whose characters were seen in training
    `decode(encode(lines))` is the text so normalised. What text says is never read as a
    special token: `"</s>"` is four characters.

    Args:
        model: the content of a SentencePiece model file.

    Raises:
        ValueError: if the content is no SentencePiece model or its special ids are
            others.

    Examples:
        >>> lines = ["a man rides a bike", "a man rides a horse"]
        >>> tokenizer = Tokenizer.train(lines, vocab_size=24)
        >>> tokenizer.decode(tokenizer.encode(["a horse rides a man"]))
        ['a horse rides a man']

    Source: Kudo and Richardson 2018, arXiv 1808.06226.
    """

    kind = "sentencepiece"  # beside those of checkpoints
    special = SpecialTokens()
    source_prefix = ()  # ids before each source sentence
    source_suffix = (special.end,)  # ids after it
    target_prefix = ()  # ids that each translation must begin with
    prompt_prefix = (special.begin,)  # ids before each text of a language model
    stops = ()  # ids beside END with which a language model ends a text
    languages = {}  # from which to choose: ids by code
    markup = None  # what it has symbols for, a `Markup`
    marks_word_ends = False  # as some of checkpoints do, and not where they begin

    def __init__(self, model):
        self._processor = processor(model, "model")
        read = self._processor
        found = SpecialTokens(
            read.pad_id(), read.unk_id(), read.bos_id(), read.eos_id()
        )
        expect(found == self.special, "model", f"have {self.special}", found)

    @classmethod
    def train(
        cls,
        lines,
        vocab_size=8000,
        model_type="bpe",
        byte_fallback=False,
        markup=None,
    ):
        """Learn a vocabulary from text; the same lines give the same tokenizer.

        Every character of the lines is known afterwards.

        Args:
            lines: sentences; read once. Frequencies are those of the first 5,000,000.
            vocab_size: number of tokens, the four special ones included.
            model_type: "bpe" or "unigram".
            byte_fallback: spell characters not seen here as bytes (256 more tokens)
                instead of making them unknown.
            markup: the `Markup` whose symbols are tokens.

        Raises:
            ValueError: if `vocab_size` does not fit the lines, or there is no text in
                them.
        """
        expect_sizes(vocab_size=vocab_size)
        limits = f"lie between {len(PIECES) + 1} and {LARGEST_COUNT}"
        fits = len(PIECES) < vocab_size <= LARGEST_COUNT
        expect(fits, "vocab_size", limits, vocab_size)
        is_known = model_type in ("bpe", "unigram")
        expect(is_known, "model_type", "be 'bpe' or 'unigram'", model_type)
        model = io.BytesIO()
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as sample:
            characters = _write_sample(lines, sample)
            if not characters:
                raise ValueError("lines must contain text; received none")
            try:
                sentencepiece.SentencePieceTrainer.train(
                    sentence_iterator=_parts(sample),
                    model_writer=model,
                    vocab_size=vocab_size,
                    model_type=model_type,
                    byte_fallback=byte_fallback,
                    required_chars=characters,
                    character_coverage=1.0,
                    normalizer=normalization.rule(),
                    max_sentence_length=4 * LONGEST_PART,
                    pad_id=cls.special.pad,
                    unk_id=cls.special.unknown,
                    bos_id=cls.special.begin,
                    eos_id=cls.special.end,
                    user_defined_symbols=[*SYMBOLS] if markup else [],
                    minloglevel=normalization.SILENT,
                    **PIECES,
                )
            except RuntimeError as error:
                raise ValueError(_reason(str(error), vocab_size)) from None
        tokenizer = cls(model.getvalue() + normalization.rule_of_decoding())
        tokenizer.markup = markup
        return tokenizer

    @classmethod
    def load(cls, path):
        """Read a model file that `save` wrote; a `ValueError` if it is no such file."""
        try:
            return cls(read_regular(path, LARGEST_MODEL, "model"))
        except (OSError, ValueError) as error:
            message = f"path must be a tokenizer's file; received {path}: {error}"
            raise ValueError(message) from None

    def save(self, path):
        """Write the model file; it appears under its name only when complete."""
        with written_aside(path) as aside:
            aside.write_bytes(self.serialized)

    @property
    def vocab_size(self):
        """Number of tokens, special ones included."""
        return self._processor.vocab_size()

    @property
    def serialized(self):
        """The content of the SentencePiece model file."""
        return self._processor.serialized_model_proto()

    @property
    def first_symbol(self):
        """The id of the first of the `SYMBOLS` of markup."""
        return self._processor.piece_to_id(SYMBOLS[0])

    @property
    def pieces(self):
        """The piece of text that each id stands for."""
        return self._processor.id_to_piece(list(range(self.vocab_size)))

    def encode(self, lines):
        """The ids of each line, without special tokens other than unknown."""
        lines = checked_texts(lines, "lines")
        return self._processor.encode([line.replace("\0", "") for line in lines])

    def decode(self, ids):
        """The text of each list of ids.

        Pad, begin and end are left out, unknown shows as ⁇.

        Raises:
            ValueError: if an id lies outside the vocabulary, or ids are no lists of
                integers.
        """
        expect(isinstance(ids, Iterable), "ids", OF_IDS, ids)
        rows = [as_ids(row) for row in ids]
        largest = self.vocab_size - 1
        for i in itertools.chain(*rows):
            expect(0 <= i <= largest, "ids", f"lie between 0 and {largest}", i)
        return self._processor.decode(rows) if rows else []


def as_ids(row):
    """A list of integers of one sentence's ids."""
    try:
        return [operator.index(i) for i in row]
    except TypeError:
        raise refused("ids", OF_IDS, row) from None


def processor(model, name):
    """The SentencePiece processor of a model file's content."""
    found = sentencepiece.SentencePieceProcessor()
    is_one = False
    with contextlib.suppress(RuntimeError):
        found.load_from_serialized_proto(model)
        is_one = bool(found.serialized_model_proto())
    expect(is_one, name, "be the content of a SentencePiece model", model[:16])
    return found


def _write_sample(lines, file):
    """Write what the trainer reads, normalised; give the characters of all lines."""
    characters = set()
    for number, line in enumerate(checked_texts(lines, "lines")):
        text = normalization.normalize(SYMBOL.sub(" ", line))
        characters.update(text)
        if number < LARGEST_SAMPLE:
            file.write(f"{text}\n")
        advance()
    file.seek(0)
    return "".join(sorted(characters - {" "}))


def _parts(lines):
    """The lines; long ones are cut, between words where that is possible."""
    part = f".{{1,{LONGEST_PART}}}(?: |$)|.{{{LONGEST_PART}}}"
    for line in lines:
        yield from re.findall(part, line)


def _reason(message, vocab_size):
    """SentencePiece's internal error in the caller's terms."""
    reason = f"be possible ({message})"
    for bound, pattern in BOUNDS.items():
        if found := re.search(pattern, message):
            reason = f"be {bound} {found[1]} for these lines"
    return f"vocab_size must {reason}; received {vocab_size}"
