"""Texts as token ids in memory-mapped files."""

import dataclasses
import itertools

import numpy as np

from ..config import expect
from ..process.bars import advance
from ..text.lines import checked_texts, read_lines
from ..text.normalization import has_text
from .id_store import IdStore, begin_side, type_of_ids, write_rows

CHUNK = 1000  # texts tokenised at a time


def read_documents(paths):
    """The lines of text files, plain or packed, each of them a document."""
    for path in paths:
        yield from read_lines(path)


@dataclasses.dataclass(frozen=True)
class TextReport:
    """How much text there is."""

    documents: int
    tokens: int
    empty: int

    def __str__(self):
        kept = f"{self.documents:,} documents of {self.tokens:,} tokens"
        return f"{kept}; {self.empty:,} empty lines left out"


class DocumentStore(IdStore):
    """Tokenised documents with random access, as a `TokenStore` holds pairs.

    Attributes:
        report: the `TextReport`.
        ids: those of all documents, end to end, without begin and end.
        offsets: where each of them begins in `ids`, and where the last one ends.

    Examples:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> len(DocumentStore.from_texts(["ab", "", "ba ab"], tokenizer))
        2
    """

    kind = "document store"
    files = ("text.ids", "text.offsets")
    report_kind = TextReport

    def __init__(self, arrays, report):
        super().__init__(arrays, report)
        ((self.ids, self.offsets),) = self._sides

    @classmethod
    def build(cls, folder, texts, tokenizer):
        """Tokenise texts into a new folder, which appears only when it is complete."""
        return cls._build(folder, texts, tokenizer)

    @classmethod
    def from_texts(cls, texts, tokenizer):
        """The same in memory."""
        return cls._in_memory(texts, tokenizer)

    def __len__(self):
        return self.report.documents

    @property
    def lengths(self):
        """Tokens of each document, without begin and end: `(n,)`."""
        return np.diff(self.offsets)

    def texts(self, rows, tokenizer):
        """The texts of some documents."""
        places = [slice(*self.offsets[row : row + 2]) for row in rows]
        return tokenizer.decode([self.ids[place] for place in places])

    @staticmethod
    def _write(files, texts, tokenizer):
        dtype = type_of_ids(tokenizer)
        documents = 0
        lines = 0
        tokens = begin_side(files)
        texts = checked_texts(texts, "texts")
        while chunk := list(itertools.islice(texts, CHUNK)):
            encoded = tokenizer.encode(list(filter(has_text, chunk)))
            found = [ids for ids in encoded if ids]
            tokens = write_rows(files, found, tokens, dtype)
            documents += len(found)
            lines += len(chunk)
            advance(len(chunk))
        expect(documents, "texts", "hold at least one with words", lines)
        return dtype, TextReport(documents, tokens, lines - documents)
