"""Texts as token ids in memory-mapped files."""

import dataclasses
import io
import itertools
import json
from pathlib import Path

import numpy as np

from ..config import expect
from ..runs.bars import advance
from ..runs.sealed_files import written_aside
from ..text.lines import checked_texts, read_lines
from ..text.normalization import has_text

CHUNK = 1000  # texts tokenised at a time
FILES = ("text.ids", "text.offsets")


def read_documents(paths):
    """The lines of text files, plain or `.gz`, each of them a document."""
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


class DocumentStore:
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

    def __init__(self, ids, offsets, report):
        self.ids = np.asarray(ids)
        self.offsets = np.asarray(offsets)
        self.report = report

    @classmethod
    def build(cls, folder, texts, tokenizer):
        """Tokenise texts into a new folder, which appears only when it is complete."""
        folder = Path(folder)
        expect(not folder.exists(), "folder", "not exist yet", str(folder))
        folder.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(folder) as aside:
            aside.mkdir()
            ids, offsets = (aside / name for name in FILES)
            with ids.open("wb") as ids_file, offsets.open("wb") as offsets_file:
                dtype, report = _write(ids_file, offsets_file, texts, tokenizer)
            content = {"dtype": dtype, "report": dataclasses.asdict(report)}
            (aside / "store.json").write_text(json.dumps(content), "utf-8")
        return cls.open(folder)

    @classmethod
    def open(cls, folder):
        """Open a folder that `build` made; a `ValueError` if it is no whole one."""
        folder = Path(folder)
        try:
            content = json.loads((folder / "store.json").read_text("utf-8"))
            report = TextReport(**content["report"])
            ids = np.memmap(folder / FILES[0], content["dtype"], "r")
            offsets = np.memmap(folder / FILES[1], "int64", "r")
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"folder must be a document store; {folder} is not: {error}"
            raise ValueError(message) from None
        sizes = (len(offsets) - 1, len(ids), offsets[-1])
        is_whole = sizes == (report.documents, report.tokens, report.tokens)
        expect(is_whole, "folder", "be a complete document store", str(folder))
        return cls(ids, offsets, report)

    @classmethod
    def from_texts(cls, texts, tokenizer):
        """The same in memory."""
        files = (io.BytesIO(), io.BytesIO())
        dtype, report = _write(*files, texts, tokenizer)
        arrays = zip(files, (dtype, "int64"))
        return cls(*(np.frombuffer(f.getbuffer(), kind) for f, kind in arrays), report)

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


def _write(ids_file, offsets_file, texts, tokenizer):
    """Tokenise texts into open files; give the type of ids, and the `TextReport`."""
    dtype = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
    documents = 0
    lines = 0
    end = np.zeros(1, np.int64)
    offsets_file.write(end.tobytes())
    texts = checked_texts(texts, "texts")
    while chunk := list(itertools.islice(texts, CHUNK)):
        encoded = tokenizer.encode(list(filter(has_text, chunk)))
        found = [ids for ids in encoded if ids]
        flat = np.fromiter(itertools.chain.from_iterable(found), dtype)
        ends = end + np.cumsum([len(ids) for ids in found], dtype=np.int64)
        ids_file.write(flat.tobytes())
        offsets_file.write(ends.tobytes())
        end = end + len(flat)
        documents += len(found)
        lines += len(chunk)
        advance(len(chunk))
    expect(documents, "texts", "hold at least one with words", lines)
    return dtype, TextReport(documents, int(end[0]), lines - documents)
