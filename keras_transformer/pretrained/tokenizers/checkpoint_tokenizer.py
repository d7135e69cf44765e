"""What the tokenizers of other people's checkpoints share: special tokens in a text, and the folder that keeps one.

kind.json     which tokenizer it is, and its options
pieces.json   the piece of text that each id stands for
*.spm         its SentencePiece models; merges.txt for FSMT
"""

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import sentencepiece

from keras_transformer.pretrained.tokenizers.vocabulary import AROUND, Vocabulary
from keras_transformer.runs.sealed_files import written_aside
from keras_transformer.text.special_tokens import SpecialTokens
from keras_transformer.text.tokenizer import LARGEST_MODEL


class CheckpointTokenizer:
    """The base class of the tokenizers that come with a checkpoint; ids are those of its own vocabulary.

    As with `transformers`, text that spells one of `vocabulary.marks` means it:
    `"</s>"` is the end token. Decoding leaves out the marks, the other special tokens
    and the hidden ids.

    Args:
        vocabulary: a `Vocabulary`.
        models: the contents of the files that cut text into pieces, by name.
        options: what else the tokenizer needs to be made again, as JSON can hold it.
    """

    kind = None  # what kind.json calls it
    needs = ()  # the names of its files

    def __init__(self, vocabulary: Vocabulary, models: dict[str, bytes], **options):
        self.vocabulary, self.models, self.options = vocabulary, models, options
        self.special = vocabulary.special
        self.source_prefix, self.source_suffix = (
            vocabulary.source_prefix,
            vocabulary.source_suffix,
        )
        self.target_prefix = vocabulary.target_prefix
        longest_first = sorted(vocabulary.marks, key=len, reverse=True)
        self._marks = re.compile(
            f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})"
        )

    @property
    def vocab_size(self) -> int:
        """Number of tokens, special ones included."""
        return len(self.vocabulary.pieces)

    @property
    def pieces(self) -> list[str]:
        """The piece of text that each id stands for."""
        return list(self.vocabulary.pieces)

    def encode(self, lines: Sequence[str]) -> list[list[int]]:
        """The ids of each line, without those around a sentence.

        Raises:
            ValueError: if `lines` is a string.
        """
        if isinstance(lines, str):
            raise ValueError(
                f"lines must be a list of strings; received the string {lines[:40]!r}"
            )
        return [self._encode_line(line) for line in lines]

    def decode(self, ids: Iterable[Iterable[int]]) -> list[str]:
        """The text of each list of ids; special tokens, unknown among them, are left out.

        Raises:
            ValueError: if an id lies outside the vocabulary.
        """
        return [self._decode_pieces(self._shown(row)) for row in ids]

    def save(self, path: str | os.PathLike):
        """Write the folder that keeps the tokenizer; it appears under its name only when complete."""
        kind = {"kind": self.kind, **self.options, **self._said_of_ids()}
        with written_aside(path) as aside:
            aside.mkdir()
            (aside / "kind.json").write_text(
                json.dumps(kind, indent=2) + "\n", encoding="utf-8"
            )
            (aside / "pieces.json").write_text(
                json.dumps(self.pieces, ensure_ascii=False, indent=0), encoding="utf-8"
            )
            for name, model in self.models.items():
                (aside / name).write_bytes(model)

    def _said_of_ids(self):
        numbers = ("hidden", *AROUND)
        kept = {
            name: list(getattr(self.vocabulary, name)) for name in ("marks", *numbers)
        }
        return {"special": dataclasses.asdict(self.special), **kept}

    def _encode_line(self, line):
        parts, ids = self._marks.split(line), []  # a text, a mark, a text, ...
        for number, part in enumerate(parts):
            if number % 2:
                ids.append(self.vocabulary.ids[part])
            elif part:
                ids += self._encode_text(part)
        return ids

    def _encode_text(self, text):
        """The ids of a text between marks."""
        raise NotImplementedError

    def _decode_pieces(self, pieces):
        """The text that the pieces of a line make."""
        raise NotImplementedError

    def _lookup(self, pieces):
        return [
            self.vocabulary.ids.get(piece, self.special.unknown) for piece in pieces
        ]

    def _shown(self, row):
        row = [int(number) for number in row]
        if row and not 0 <= min(row) <= max(row) < self.vocab_size:
            wrong = min(row) if min(row) < 0 else max(row)
            raise ValueError(
                f"ids must lie between 0 and {self.vocab_size - 1}; received {wrong}"
            )
        return [
            self.vocabulary.pieces[number]
            for number in row
            if number not in self.vocabulary.skipped
        ]


def processor(model, name):
    """The SentencePiece processor of a model file's content.

    Raises:
        ValueError: if it is none.
    """
    try:
        found = (
            sentencepiece.SentencePieceProcessor(model_proto=model) if model else None
        )
    except RuntimeError:
        found = None
    if found is None or not found.serialized_model_proto():
        raise ValueError(
            f"{name} must be the content of a SentencePiece model; received {model[:16]!r}..."
        )
    return found


def read_limited(path):
    """The content of a tokenizer's file.

    Raises:
        ValueError: if it is missing or too large to be one.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LARGEST_MODEL:
            raise ValueError(
                f"it must have at most {LARGEST_MODEL:,} bytes; received {size:,}"
            )
        return path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"a tokenizer's file must be readable; received {str(path)!r}: {error.strerror}"
        ) from None
    except ValueError as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None


def read_checked_json(path, kind):
    """The content of a tokenizer's JSON file.

    Raises:
        ValueError: if it is missing, too large, no JSON, or not of the type `kind`.
    """
    content = read_limited(path)
    try:
        found = json.loads(content.decode("utf-8"))
        if type(found) is not kind:
            raise ValueError(
                f"it must hold a {kind.__name__}; received a {type(found).__name__}"
            )
        return found
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None


def load_folder(path, kinds):
    """Read the folder that `CheckpointTokenizer.save` wrote.

    Args:
        path: the folder.
        kinds: the tokenizer classes by what kind.json calls them.

    Raises:
        ValueError: if a file is missing or damaged.
    """
    path = Path(path)
    options = read_checked_json(path / "kind.json", dict)
    pieces = read_checked_json(path / "pieces.json", list)
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(
            f"{str(path)!r} cannot be used: kind must be one of {', '.join(kinds)}; received {kind!r}"
        )
    models = {name: read_limited(path / name) for name in kinds[kind].needs}
    try:
        special = SpecialTokens(**options.pop("special"))
        said = {name: options.pop(name) for name in ("marks", "hidden", *AROUND)}
        return kinds[kind](Vocabulary(pieces, special, **said), models, **options)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} cannot be used: {error}") from None
