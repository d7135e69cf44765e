"""Strings to token ids and back, by SentencePiece."""

import contextlib
import io
import itertools
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import sentencepiece

from keras_transformer.runs.sealed_files import written_aside
from keras_transformer.text.special_tokens import (
    BEGIN,
    END,
    PAD,
    UNKNOWN,
    SpecialTokens,
)

SILENT = 2  # SentencePiece's log level that shows errors only
LARGEST_MODEL = 1 << 26  # bytes: a hundred times what 30,000 tokens need
LARGEST_SAMPLE = 5_000_000  # lines: the trainer holds what it learns from in memory


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

    Example:
        >>> lines = ["a man rides a bike", "a man rides a horse"]
        >>> tokenizer = Tokenizer.train(lines, vocab_size=24)
        >>> tokenizer.decode(tokenizer.encode(["a horse rides a man"]))
        ['a horse rides a man']

    Source: Kudo and Richardson 2018, arXiv 1808.06226.
    """

    special = SpecialTokens()
    source_prefix = ()  # ids before each source sentence
    source_suffix = (END,)  # ids after it
    target_prefix = ()  # ids that each translation must begin with

    def __init__(self, model: bytes):
        self._processor = sentencepiece.SentencePieceProcessor()
        with contextlib.suppress(RuntimeError):
            self._processor.load_from_serialized_proto(model)
        if not self.serialized:
            raise ValueError(
                "model must be the content of a SentencePiece model; "
                f"received {model[:16]!r}..."
            )
        found = (
            self._processor.pad_id(),
            self._processor.unk_id(),
            self._processor.bos_id(),
            self._processor.eos_id(),
        )
        expected = (PAD, UNKNOWN, BEGIN, END)
        if found != expected:
            raise ValueError(
                f"model must have the ids {expected} of pad, unknown, begin and end; "
                f"received {found}"
            )

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        vocab_size: int = 8000,
        model_type: str = "bpe",
        byte_fallback: bool = False,
    ) -> "Tokenizer":
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
        if model_type not in ("bpe", "unigram"):
            raise ValueError(
                f"model_type must be 'bpe' or 'unigram'; received {model_type!r}"
            )
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
                pad_id=PAD,
                unk_id=UNKNOWN,
                bos_id=BEGIN,
                eos_id=END,
                minloglevel=SILENT,
            )
        except RuntimeError as error:
            if failures:
                raise failures[0] from None
            raise ValueError(_reason(str(error), vocab_size)) from None
        return cls(model.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Tokenizer":
        """Read a model file that `save` wrote.

        Raises:
            ValueError: if the file is missing, is no SentencePiece model or has other
                special ids than ours.
        """
        path = Path(path)
        try:
            size = path.stat().st_size
            if size > LARGEST_MODEL:
                raise ValueError(
                    f"it must have at most {LARGEST_MODEL:,} bytes; received {size:,}"
                )
            return cls(path.read_bytes())
        except OSError as error:
            raise ValueError(
                f"path must be a tokenizer's file; received {str(path)!r}: "
                f"{error.strerror}"
            ) from None
        except ValueError as error:
            raise ValueError(f"{path} cannot be used: {error}") from None

    def save(self, path: str | os.PathLike):
        """Write the model file; it appears under its name only when complete."""
        with written_aside(path) as aside:
            aside.write_bytes(self.serialized)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, special ones included."""
        return self._processor.vocab_size()

    @property
    def serialized(self) -> bytes:
        """The content of the SentencePiece model file."""
        return self._processor.serialized_model_proto()

    @property
    def pieces(self) -> list[str]:
        """The piece of text that each id stands for."""
        return self._processor.id_to_piece(list(range(self.vocab_size)))

    def encode(self, lines: Sequence[str]) -> list[list[int]]:
        """The ids of each line, without special tokens other than unknown."""
        if isinstance(lines, str):
            raise ValueError(
                f"lines must be a list of strings; received the string {lines[:40]!r}"
            )
        return self._processor.encode(list(lines))

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        """The text of each list of ids.

        Pad, begin and end are left out, unknown shows as ⁇.

        Raises:
            ValueError: if an id lies outside the vocabulary.
        """
        rows = [[int(i) for i in row] for row in ids]
        largest = self.vocab_size - 1
        for number in itertools.chain.from_iterable(rows):
            if not 0 <= number <= largest:
                raise ValueError(
                    f"ids must lie between 0 and {largest}; received {number}"
                )
        return self._processor.decode(rows) if rows else []


def _reason(message, vocab_size):
    """SentencePiece's internal error in the caller's terms."""
    if "!sentences_.empty()" in message or "all_chars_count" in message:
        return "lines must contain text; received none"
    received = f"received {vocab_size}"
    if largest := re.search(r"too high .* value <= (\d+)", message):
        return f"vocab_size must be at most {largest[1]} for these lines; {received}"
    if smallest := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return (
            f"vocab_size must be at least {smallest[1]} for these lines (one token a "
            f"character, and the special and byte tokens); {received}"
        )
    return f"the tokenizer could not be trained with vocab_size {vocab_size}: {message}"
