"""Parallel text: read it, pair it, filter it, and keep it as token ids in memory-mapped files."""

import contextlib
import dataclasses
import gzip
import io
import itertools
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from keras_transformer.config import DataConfig
from keras_transformer.text.special_tokens import PAD
from keras_transformer.text.tokenizer import Tokenizer

CHUNK = 10_000  # pairs tokenised at a time
LONGEST_LINE = 1 << 26  # bytes; what has no end of line within so many is no text
ENORMOUS = 100_000  # characters; such a line is too long whatever its tokens


def read_lines(file: str | os.PathLike | BinaryIO, name: str | None = None) -> Iterator[str]:
    """The lines of a UTF-8 file, plain or `.gz`, one at a time.

    A line ends at "\\n" or "\\r\\n" and nowhere else: other separators of Unicode occur inside sentences, and splitting
    there would pair the wrong lines. A byte order mark is dropped. `file` may also be an open binary
    stream, such as `sys.stdin.buffer`; `name` is what errors call it.

    Raises:
        ValueError: if the file cannot be read, is not UTF-8, or a line has no end (file and line number).
    """
    number, name = 0, name or file
    try:
        with _opened(file) as stream:
            for number, raw in enumerate(iter(lambda: stream.readline(LONGEST_LINE), b""), 1):
                if len(raw) == LONGEST_LINE:
                    raise ValueError(
                        f"{name} must have lines of less than {LONGEST_LINE:,} bytes; line {number} has more"
                    )
                if number == 1:
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                yield raw.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} must be UTF-8; line {number} is not: {error.reason}") from None
    except (OSError, EOFError, zlib.error) as error:
        place = f"after line {number}: " if number else ""
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{name} must be a readable text file; received {place}{reason}") from None


def _opened(file):
    if hasattr(file, "read"):
        return contextlib.nullcontext(file)
    return (gzip.open if str(file).endswith(".gz") else open)(file, "rb")


def read_pairs(source: str | os.PathLike, target: str | os.PathLike | None = None) -> Iterator[tuple[str, str]]:
    """Pairs of lines of two parallel files, or of one `.tsv` file with two columns; any of them may be `.gz`.

    Args:
        source: file with a sentence a line; or the `.tsv` file.
        target: file with the translations, line by line; absent with a `.tsv` file.

    Raises:
        ValueError: if a file is empty or unreadable, the two are not of equal length (known only at their end), or a
            `.tsv` line has not two columns.
    """
    if str(source).removesuffix(".gz").endswith(".tsv"):
        if target is not None:
            raise ValueError(f"target must be absent when source is a .tsv file with both; received {str(target)!r}")
        return _tsv_pairs(source)
    if target is None:
        raise ValueError(f"target must be given unless source is a .tsv file; received source {str(source)!r} alone")
    return _file_pairs(source, target)


def _tsv_pairs(path):
    number = 0
    for number, line in enumerate(read_lines(path), 1):
        columns = line.split("\t") if line.strip() else ["", ""]
        if len(columns) != 2:
            raise ValueError(f"{path} must have two columns (source, tab, target); line {number} has {len(columns)}")
        yield columns[0], columns[1]
    if not number:
        raise ValueError(f"{path} must contain sentences; it is empty")


def _file_pairs(source, target):
    counts = [0, 0]

    def counted(path, side):
        for line in read_lines(path):
            counts[side] += 1
            yield line

    for pair in itertools.zip_longest(counted(source, 0), counted(target, 1)):
        if None not in pair:  # after the end of the shorter file this goes on, to count the longer one
            yield pair
    for path, count in zip((source, target), counts, strict=True):
        if not count:
            raise ValueError(f"{path} must contain sentences; it is empty")
    if counts[0] != counts[1]:
        raise ValueError(
            f"source and target must have as many lines as each other; {source} has {counts[0]:,} and {target} has "
            f"{counts[1]:,}"
        )


@dataclasses.dataclass(frozen=True)
class FilterReport:
    """How many pairs were kept, and how many dropped for which reason (the first that held, in this order)."""

    kept: int = 0
    empty: int = 0  # nothing on one side
    too_long: int = 0  # more tokens than `max_length` on one side
    ratio: int = 0  # one side more than `max_ratio` times the other

    def __str__(self):
        total = self.kept + self.empty + self.too_long + self.ratio
        dropped = f"{self.empty:,} empty, {self.too_long:,} too long, {self.ratio:,} of unlikely length ratio"
        return f"kept {self.kept:,} of {total:,} pairs; dropped {total - self.kept:,}: {dropped}"


def judge(source_length: int, target_length: int, config: DataConfig) -> str:
    """The field of `FilterReport` in which a pair of these lengths, without end tokens, is counted."""
    if not source_length or not target_length:
        return "empty"
    shorter, longer = sorted((source_length + 1, target_length + 1))
    if longer > config.max_length:
        return "too_long"
    return "ratio" if longer > config.max_ratio * shorter else "kept"


class TokenStore:
    """A tokenised parallel corpus with random access: per side the ids of all sentences end to end, and offsets.

    Sentence i of a side is `ids[offsets[i] : offsets[i + 1]]`. From `build` and `open` the arrays are memory-mapped, so
    a corpus may be larger than memory; from `from_lines` they are in memory. Ids are stored without begin and end.

    Attributes:
        report: what the filters kept and dropped.

    Example:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> store, report = TokenStore.from_lines(["ab", "ba ab"], ["ba", ""], tokenizer)
        >>> len(store), str(report)
        (1, 'kept 1 of 2 pairs; dropped 1: 1 empty, 0 too long, 0 of unlikely length ratio')
    """

    def __init__(self, ids: Sequence[np.ndarray], offsets: Sequence[np.ndarray], report: FilterReport):
        # Plain views: slicing np.memmap itself is several times slower.
        self._ids = [np.asarray(side) for side in ids]
        self._offsets = [np.asarray(side) for side in offsets]
        self.report = report

    @classmethod
    def build(
        cls,
        folder: str | os.PathLike,
        pairs: Iterable[tuple[str, str]],
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer | None = None,
        config: DataConfig | None = None,
    ) -> tuple["TokenStore", FilterReport]:
        """Tokenise and filter pairs into a folder, in constant memory; it appears only when complete.

        Args:
            folder: a new folder.
            pairs: (source, target) strings, as from `read_pairs`.
            source_tokenizer: of the first side.
            target_tokenizer: of the second side; the same when absent.
            config: the filters' limits; `DataConfig()` when absent.

        Raises:
            ValueError: if the folder exists, `pairs` fails, or no pair is left.
        """
        folder = Path(folder)
        if folder.exists():
            raise ValueError(f"folder must not exist yet; received {str(folder)!r}")
        aside = folder.with_name(folder.name + ".partial")
        shutil.rmtree(aside, ignore_errors=True)  # left by a build that was killed
        aside.mkdir(parents=True)
        try:
            files = [open(aside / name, "wb") for name in _FILES]
            try:
                dtype, report = _write(files, pairs, source_tokenizer, target_tokenizer, config or DataConfig())
            finally:
                for file in files:
                    file.close()
            content = {"dtype": dtype.name, "report": dataclasses.asdict(report)}
            (aside / "store.json").write_text(json.dumps(content), encoding="utf-8")
            os.replace(aside, folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return cls.open(folder), report

    @classmethod
    def open(cls, folder: str | os.PathLike) -> "TokenStore":
        """Open a folder that `build` made.

        Raises:
            ValueError: if it is not such a folder, or its files are incomplete.
        """
        folder = Path(folder)
        try:
            content = json.loads((folder / "store.json").read_text(encoding="utf-8"))
            report = FilterReport(**content["report"])
            dtypes = (content["dtype"], np.int64)
            arrays = [np.memmap(folder / name, dtypes[i % 2], "r") for i, name in enumerate(_FILES)]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"folder must be a token store; {folder} is not: {error}") from None
        for ids, offsets in (arrays[:2], arrays[2:]):
            if len(offsets) != report.kept + 1 or len(ids) != offsets[-1]:
                raise ValueError(f"folder must be a complete token store; {folder} has files of the wrong size")
            if offsets[0] != 0 or (offsets[1:] <= offsets[:-1]).any():
                raise ValueError(f"folder must be a whole token store; {folder} has a sentence without an end")
        return cls(arrays[::2], arrays[1::2], report)

    @classmethod
    def from_lines(
        cls,
        source_lines: Sequence[str],
        target_lines: Sequence[str],
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer | None = None,
        config: DataConfig | None = None,
    ) -> tuple["TokenStore", FilterReport]:
        """The same in memory, from two lists of sentences.

        Raises:
            ValueError: if the lists are not of equal length, or no pair is left.
        """
        if len(source_lines) != len(target_lines):
            counts = f"{len(source_lines):,} and {len(target_lines):,}"
            raise ValueError(f"source_lines and target_lines must be of equal length; received {counts}")
        files = [io.BytesIO() for _ in _FILES]
        pairs = zip(source_lines, target_lines, strict=True)
        dtype, report = _write(files, pairs, source_tokenizer, target_tokenizer, config or DataConfig())
        arrays = [np.frombuffer(file.getbuffer(), (dtype, np.int64)[i % 2]) for i, file in enumerate(files)]
        return cls(arrays[::2], arrays[1::2], report), report

    def __len__(self):
        return len(self._offsets[0]) - 1

    def pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Source and target ids of one pair, without begin and end."""
        source, target = (
            ids[offsets[index] : offsets[index + 1]] for ids, offsets in zip(self._ids, self._offsets, strict=True)
        )
        return source, target

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each pair's source and target, without begin and end: `(n, 2)` int32."""
        return np.stack([np.diff(offsets).astype(np.int32) for offsets in self._offsets], axis=1)

    def padded(self, rows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Source and target ids of some pairs, right-padded: two `(len(rows), width)` int32.

        `width` is at least the longest of these sentences.
        """
        columns = np.arange(width)
        padded = []
        for ids, offsets in zip(self._ids, self._offsets, strict=True):
            starts, ends = offsets[rows, None], offsets[rows + 1, None]
            places = starts + columns
            # Beyond a sentence's end lie the next one's ids, and after the last sentence nothing.
            found = ids[np.minimum(places, len(ids) - 1)]
            padded.append(np.where(places < ends, found, PAD).astype(np.int32))
        return padded[0], padded[1]


_FILES = ("source.ids", "source.offsets", "target.ids", "target.offsets")


def usual_pairs(pairs, counts):
    """The next chunk of pairs, without the enormous ones, which are counted as too long; None at the end."""
    chunk, size = [], 0
    for pair in pairs:
        if max(map(len, pair)) > ENORMOUS:
            counts["too_long"] += 1
            continue
        chunk.append(pair)
        size += sum(map(len, pair))
        if len(chunk) == CHUNK or size > LONGEST_LINE:
            break
    return chunk or None


def _write(files, pairs, source_tokenizer, target_tokenizer, config):
    """Tokenise and filter chunk by chunk into four open files, in the order of `_FILES`; the ids' dtype, the report."""
    tokenizers = (source_tokenizer, target_tokenizer or source_tokenizer)
    dtype = np.dtype(np.uint16 if max(t.vocab_size for t in tokenizers) <= 2**16 else np.uint32)
    counts = dict.fromkeys((field.name for field in dataclasses.fields(FilterReport)), 0)
    written = [0, 0]
    for offsets in files[1::2]:
        offsets.write(np.int64(0).tobytes())
    pairs = iter(pairs)
    while (chunk := usual_pairs(pairs, counts)) is not None:
        encoded = [tokenizer.encode([pair[side] for pair in chunk]) for side, tokenizer in enumerate(tokenizers)]
        verdicts = [judge(len(source), len(target), config) for source, target in zip(*encoded, strict=True)]
        for verdict in verdicts:
            counts[verdict] += 1
        for side, sentences in enumerate(encoded):
            kept = [ids for ids, verdict in zip(sentences, verdicts, strict=True) if verdict == "kept"]
            ends = written[side] + np.cumsum([len(ids) for ids in kept], dtype=np.int64)
            files[2 * side].write(np.fromiter(itertools.chain.from_iterable(kept), dtype).tobytes())
            files[2 * side + 1].write(ends.tobytes())
            written[side] = int(ends[-1]) if kept else written[side]
    report = FilterReport(**counts)
    if not report.kept:
        raise ValueError(f"pairs must contain at least one that passes the filters; {report}")
    return dtype, report
