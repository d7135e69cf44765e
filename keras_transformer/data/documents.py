"""Texts as token ids in memory-mapped files, and rows that are packed with them."""

import dataclasses
import io
import itertools
import json
import math
from pathlib import Path

import numpy as np

from ..config import expect
from ..runs.bars import advance
from ..runs.sealed_files import written_aside
from ..text.lines import checked_texts, read_lines
from ..text.normalization import has_text
from .buckets import rows_per_bucket
from .planned import PlannedBatches

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


class PackedBatches(PlannedBatches):
    """Rows of one width that are full of documents, for Keras's `fit`.

    Item: `(token_ids (B, T), labels (B, T), weights (B, T))`. The documents of an epoch
    stand end to end, in an order of its own, `begin` before each and `end` among the
    labels after its last token, and this is cut into rows: only the last row has an
    end that is filled up, with weights of 0. What a cut separates goes on in another
    row, as a document without its begin token. Weights are as in `TokenBatches`.

    Pass it to `fit` with `shuffle=False`: it shuffles itself, differently in each
    epoch, as `seed` says.

    Args:
        store: a `DocumentStore`.
        special: the `SpecialTokens` of its tokenizer.
        width: T, tokens in a row.
        batch_tokens, seed, shuffle, accumulation, shard: as for `TokenBatches`.

    Raises:
        ValueError: as `TokenBatches`.

    Examples:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> texts = ["ab", "ba ab"]
        >>> batches = PackedBatches.from_texts(texts, tokenizer, width=4)
        >>> token_ids, labels, weights = batches[0]
        >>> token_ids.shape, float(weights.sum())
        ((1024, 4), 1.0)
    """

    def __init__(
        self,
        store,
        special,
        width=128,
        batch_tokens=4096,
        seed=0,
        shuffle=True,
        accumulation=1,
        shard=(0, 1, 1),
    ):
        expect(width >= 1, "width", "be at least 1", width)
        self.store = store
        self.special = special
        self.row_width = width
        super().__init__(batch_tokens, seed, shuffle, accumulation, shard)

    @classmethod
    def from_texts(cls, texts, tokenizer, **kwargs):
        """Batches straight from an iterable of strings; `kwargs` as for the class."""
        store = DocumentStore.from_texts(texts, tokenizer)
        return cls(store, tokenizer.special, **kwargs)

    def _planned(self, epoch):
        random = np.random.default_rng([self.seed, epoch])
        sizes = self.store.lengths + 1
        order = np.arange(len(sizes))
        if self.shuffle:
            order = random.permutation(order)
        self._order = order
        self._ends = np.cumsum(sizes[order])
        rows = np.arange(math.ceil(self._ends[-1] / self.row_width))
        if self.shuffle:
            rows = random.permutation(rows)
        height = rows_per_bucket(self.row_width, self.batch_tokens)
        starts = range(0, len(rows), height)
        return [(self.row_width, rows[start : start + height]) for start in starts]

    def _tokens(self, rows):
        left = self._ends[-1] - rows * self.row_width
        return np.minimum(left, self.row_width).sum()

    def _batch(self, width, rows, height, weight):
        store = self.store
        special = self.special
        count = len(rows)
        places = rows[:, None] * width + np.arange(width)
        is_real = places < self._ends[-1]
        # Behind the last document lies nothing.
        numbers = np.searchsorted(self._ends[:-1], places, side="right")
        documents = self._order[numbers]
        sizes = store.offsets[documents + 1] - store.offsets[documents]
        inside = places - self._ends[numbers] + sizes + 1
        first = store.offsets[documents]
        before = store.ids.take(first + inside - 1, mode="clip").astype(np.int32)
        after = store.ids.take(first + inside, mode="clip").astype(np.int32)
        token_ids = np.full((height, width), special.end, np.int32)
        labels = np.full((height, width), special.pad, np.int32)
        weights = np.zeros((height, width), np.float32)
        read = np.where(inside == 0, special.begin, before)
        written = np.where(inside == sizes, special.end, after)
        token_ids[:count] = np.where(is_real, read, special.end)
        labels[:count] = np.where(is_real, written, special.pad)
        weights[:count][is_real] = weight
        return token_ids, labels, weights
