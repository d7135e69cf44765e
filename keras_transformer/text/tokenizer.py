"""Strings to token ids and back, by SentencePiece."""

import contextlib
import io
import itertools
import re
from pathlib import Path

import sentencepiece

from ..config import expect
from ..runs.sealed_files import check_regular, written_aside
from .special_tokens import SpecialTokens

SILENT = 2  # SentencePiece's log level that shows errors only
LARGEST_MODEL = 1 << 26  # bytes: a hundred times what 30,000 tokens need
LARGEST_SAMPLE = 5_000_000  # lines: the trainer holds what it learns from in memory
# How SentencePiece says that a size is wrong: one token a character, and the special
# and byte tokens, or as many as the lines give.
BOUNDS = {
    "at least": r"smaller than required_chars\. \d+ vs (\d+)",
    "at most": r"too high .* value <= (\d+)",
}


class Tokenizer:
    """A SentencePiece model whose special ids are ours.

    They are pad 0, unknown 1, begin 2, end 3. Text is not normalised beyond its spaces
    (runs of spaces become one, those at the ends go), so for text whose characters were
    seen in training `decode(encode(lines)) == lines` up to spaces. What text says is
    never read as a special token: `"</s>"` is four characters.

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

    special = SpecialTokens()
    source_prefix = ()  # ids before each source sentence
    source_suffix = (special.end,)  # ids after it
    target_prefix = ()  # ids that each translation must begin with

    def __init__(self, model):
        read = sentencepiece.SentencePieceProcessor()
        self._processor = read
        is_one = False
        with contextlib.suppress(RuntimeError):
            read.load_from_serialized_proto(model)
            is_one = bool(self.serialized)
        expect(is_one, "model", "be that of a SentencePiece file", model[:16])
        ids = (read.pad_id(), read.unk_id(), read.bos_id(), read.eos_id())
        found = SpecialTokens(*ids)
        expect(found == self.special, "model", f"have {self.special}", found)

    @classmethod
    def train(cls, lines, vocab_size=8000, model_type="bpe", byte_fallback=False):
        """Learn a vocabulary from text; the same lines give the same tokenizer.

        Args:
            lines: sentences; read once, and only the first 5,000,000 of them.
            vocab_size: number of tokens, the four special ones included.
            model_type: "bpe" or "unigram".
            byte_fallback: spell characters not seen here as bytes (256 more tokens)
                instead of making them unknown.

        Raises:
            ValueError: if `vocab_size` does not fit the lines, or there is no text in
                them.
        """
        is_known = model_type in ("bpe", "unigram")
        expect(is_known, "model_type", "be 'bpe' or 'unigram'", model_type)
        failures = []

        # SentencePiece turns what goes wrong in here into an error without a type: keep
        # the original. A GeneratorExit is its own, when it has enough lines.
        def feed():
            try:
                yield from lines
            except (Exception, KeyboardInterrupt) as error:
                failures.append(error)
                raise

        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=feed(),
                model_writer=model,
                vocab_size=vocab_size,
                model_type=model_type,
                byte_fallback=byte_fallback,
                character_coverage=1.0,
                # NFKC would not give back "½", "ﬁ" or "…".
                normalization_rule_name="identity",
                input_sentence_size=LARGEST_SAMPLE,
                shuffle_input_sentence=False,
                pad_id=cls.special.pad,
                unk_id=cls.special.unknown,
                bos_id=cls.special.begin,
                eos_id=cls.special.end,
                minloglevel=SILENT,
            )
        except RuntimeError as error:
            if failures:
                raise failures[0] from None
            raise ValueError(_reason(str(error), vocab_size)) from None
        return cls(model.getvalue())

    @classmethod
    def load(cls, path):
        """Read a model file that `save` wrote; a `ValueError` if it is no such file."""
        path = Path(path)
        try:
            check_regular(path)
            size = path.stat().st_size
            limit = f"have at most {LARGEST_MODEL:,} bytes"
            expect(size <= LARGEST_MODEL, "model", limit, size)
            return cls(path.read_bytes())
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
    def pieces(self):
        """The piece of text that each id stands for."""
        return self._processor.id_to_piece(list(range(self.vocab_size)))

    def encode(self, lines):
        """The ids of each line, without special tokens other than unknown."""
        is_list = not isinstance(lines, str)
        expect(is_list, "lines", "be a list of strings", lines)
        return self._processor.encode(list(lines))

    def decode(self, ids):
        """The text of each list of ids.

        Pad, begin and end are left out, unknown shows as ⁇.

        Raises:
            ValueError: if an id lies outside the vocabulary.
        """
        rows = [[int(i) for i in row] for row in ids]
        largest = self.vocab_size - 1
        for i in itertools.chain(*rows):
            expect(0 <= i <= largest, "ids", f"lie between 0 and {largest}", i)
        return self._processor.decode(rows) if rows else []


def _reason(message, vocab_size):
    """SentencePiece's internal error in the caller's terms."""
    if "!sentences_.empty()" in message or "all_chars_count" in message:
        return "lines must contain text; received none"
    reason = f"be possible ({message})"
    for bound, pattern in BOUNDS.items():
        if found := re.search(pattern, message):
            reason = f"be {bound} {found[1]} for these lines"
    return f"vocab_size must {reason}; received {vocab_size}"
