"""A parallel corpus as token ids in memory-mapped files."""

import collections
import contextlib
import dataclasses
import io
import itertools
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from keras_transformer.config import DataConfig
from keras_transformer.data.cleaning import FilterReport, judge
from keras_transformer.runs.sealed_files import remove_partial, written_aside
from keras_transformer.text.lines import LONGEST_LINE
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.special_tokens import PAD
from keras_transformer.text.tokenizer import Tokenizer

CHUNK = 10_000  # pairs tokenised at a time
ENORMOUS = 100_000  # characters; such a line is too long whatever its tokens
FILES = ("source.ids", "source.offsets", "target.ids", "target.offsets")


class TokenStore:
    """A tokenised parallel corpus with random access.

    Each side has the ids of all sentences end to end, and offsets: sentence i is
    `ids[offsets[i] : offsets[i + 1]]`. From `build` and `open` the arrays are
    memory-mapped, so a corpus may be larger than memory; from `from_lines` they are in
    memory. Ids are stored without begin and end.

    Attributes:
        report: what the filters kept and dropped.

    Example:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> store = TokenStore.from_lines(["ab", "b"], ["ba", ""], tokenizer)
        >>> len(store), store.report.empty
        (1, 1)
    """

    def __init__(self, ids, offsets, report: FilterReport):
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
    ) -> "TokenStore":
        """Tokenise and filter pairs into a folder, in constant memory.

        The folder appears only when it is complete.

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
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_partial(folder.parent, folder.stem)
        tokenizers = (source_tokenizer, target_tokenizer or source_tokenizer)
        with written_aside(folder) as aside:
            aside.mkdir()
            with contextlib.ExitStack() as opened:
                files = [open(aside / name, "wb") for name in FILES]
                for file in files:
                    opened.enter_context(file)
                dtype, report = _write(files, pairs, tokenizers, config)
            content = {"dtype": dtype, "report": dataclasses.asdict(report)}
            (aside / "store.json").write_text(json.dumps(content), encoding="utf-8")
        return cls.open(folder)

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
            types = 2 * (content["dtype"], "int64")
            arrays = [
                np.memmap(folder / name, dtype, "r")
                for name, dtype in zip(FILES, types)
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"folder must be a token store; {folder} is not: {error}"
            ) from None
        for ids, offsets in (arrays[:2], arrays[2:]):
            sizes_fit = len(offsets) == report.kept + 1 and len(ids) == offsets[-1]
            is_rising = (offsets[:-1] < offsets[1:]).all()
            if not sizes_fit or offsets[0] != 0 or not is_rising:
                raise ValueError(
                    f"folder must be a complete token store; {folder} has files of the "
                    "wrong size, or a sentence without an end"
                )
        return cls(arrays[::2], arrays[1::2], report)

    @classmethod
    def from_lines(
        cls,
        source_lines: Sequence[str],
        target_lines: Sequence[str],
        source_tokenizer: Tokenizer,
        target_tokenizer: Tokenizer | None = None,
        config: DataConfig | None = None,
    ) -> "TokenStore":
        """The same in memory, from two lists of sentences.

        Raises:
            ValueError: if the lists are not of equal length, or no pair is left.
        """
        if len(source_lines) != len(target_lines):
            raise ValueError(
                "source_lines and target_lines must be of equal length; "
                f"received {len(source_lines):,} and {len(target_lines):,}"
            )
        tokenizers = (source_tokenizer, target_tokenizer or source_tokenizer)
        files = [io.BytesIO() for _ in FILES]
        pairs = zip(source_lines, target_lines)
        dtype, report = _write(files, pairs, tokenizers, config)
        ids = [np.frombuffer(file.getbuffer(), dtype) for file in files[::2]]
        offsets = [np.frombuffer(file.getbuffer(), "int64") for file in files[1::2]]
        return cls(ids, offsets, report)

    def __len__(self):
        return len(self._offsets[0]) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each source and target, without begin and end: `(n, 2)` int32."""
        sides = [np.diff(offsets).astype(np.int32) for offsets in self._offsets]
        return np.stack(sides, axis=1)

    def padded(
        self, rows: np.ndarray, width: int, pad: int = PAD
    ) -> tuple[np.ndarray, np.ndarray]:
        """Source and target ids of some pairs, right-padded: two `(len(rows), width)`.

        They are int32; `width` is at least the longest of these sentences.
        """
        padded = []
        for ids, offsets in zip(self._ids, self._offsets):
            places = offsets[rows, None] + np.arange(width)
            # Beyond a sentence's end lie the next one's ids, and after the last
            # sentence nothing.
            found = ids[np.minimum(places, len(ids) - 1)]
            inside = places < offsets[rows + 1, None]
            padded.append(np.where(inside, found, pad).astype(np.int32))
        return padded[0], padded[1]


def _chunks(pairs, counts):
    """Lists of pairs without the enormous ones, which are counted as too long."""
    chunk = []
    size = 0
    for pair in pairs:
        if max(map(len, pair)) > ENORMOUS:
            counts["too_long"] += 1
            continue
        chunk.append(pair)
        size += sum(map(len, pair))
        if len(chunk) == CHUNK or size > LONGEST_LINE:
            yield chunk
            chunk = []
            size = 0
    if chunk:
        yield chunk


def _write(files, pairs, tokenizers, config):
    """Tokenise and filter pairs into four open files, in the order of `FILES`.

    Returns:
        The name of the ids' dtype, and the `FilterReport`.
    """
    config = config or DataConfig()
    # The limit counts the end token already.
    sentence_format = SentenceFormat.of(*tokenizers)
    around = max(sentence_format.around_source, sentence_format.around_labels) - 1
    if around:
        config = dataclasses.replace(config, max_length=config.max_length - around)
    largest = max(tokenizer.vocab_size for tokenizer in tokenizers)
    dtype = "uint16" if largest <= 2**16 else "uint32"
    counts = collections.Counter()
    ends = [np.int64(0), np.int64(0)]
    for side in (0, 1):
        files[2 * side + 1].write(ends[side].tobytes())
    for chunk in _chunks(pairs, counts):
        sides = [
            tokenizer.encode(list(lines))
            for tokenizer, lines in zip(tokenizers, zip(*chunk))
        ]
        lengths = np.array([[len(ids) for ids in side] for side in sides]).T
        verdicts = judge(lengths, config)
        counts.update(verdicts.tolist())
        kept = verdicts == "kept"
        for side in (0, 1):
            sentences = itertools.compress(sides[side], kept)
            ids = np.fromiter(itertools.chain.from_iterable(sentences), dtype)
            files[2 * side].write(ids.tobytes())
            offsets = ends[side] + np.cumsum(lengths[kept, side])
            files[2 * side + 1].write(offsets.tobytes())
            ends[side] += len(ids)
    report = FilterReport(**counts)
    if report.kept == 0:
        raise ValueError(
            f"pairs must contain at least one that passes the filters; {report}"
        )
    return dtype, report
