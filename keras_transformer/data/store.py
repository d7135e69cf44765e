"""A parallel corpus as token ids in memory-mapped files."""

import dataclasses
import io
import itertools
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from keras_transformer.config import DataConfig
from keras_transformer.data.corpus import ENORMOUS, FilterReport, judge
from keras_transformer.runs.sealed_files import remove_partial, written_aside
from keras_transformer.text.lines import LONGEST_LINE
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.special_tokens import PAD
from keras_transformer.text.tokenizer import Tokenizer

CHUNK = 10_000  # pairs tokenised at a time


class TokenStore:
    """A tokenised parallel corpus with random access: per side the ids of all sentences end to end, and offsets.

    Sentence i of a side is `ids[offsets[i] : offsets[i + 1]]`. From `build` and `open`
    the arrays are memory-mapped, so a corpus may be larger than memory; from
    `from_lines` they are in memory. Ids are stored without begin and end.

    Attributes:
        report: what the filters kept and dropped.

    Example:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> store, report = TokenStore.from_lines(["ab", "ba ab"], ["ba", ""], tokenizer)
        >>> len(store), str(report)
        (1, 'kept 1 of 2 pairs; dropped 1: 1 empty, 0 too long, 0 of unlikely length
        ratio')
    """

    def __init__(
        self,
        ids: Sequence[np.ndarray],
        offsets: Sequence[np.ndarray],
        report: FilterReport,
    ):
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
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_partial(folder.parent, folder.stem)
        with written_aside(folder) as aside:
            aside.mkdir()
            files = [open(aside / name, "wb") for name in _FILES]
            try:
                dtype, report = _write(
                    files,
                    pairs,
                    source_tokenizer,
                    target_tokenizer,
                    config or DataConfig(),
                )
            finally:
                for file in files:
                    file.close()
            content = {"dtype": dtype.name, "report": dataclasses.asdict(report)}
            (aside / "store.json").write_text(json.dumps(content), encoding="utf-8")
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
            arrays = [
                np.memmap(folder / name, dtypes[i % 2], "r")
                for i, name in enumerate(_FILES)
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"folder must be a token store; {folder} is not: {error}"
            ) from None
        for ids, offsets in (arrays[:2], arrays[2:]):
            if len(offsets) != report.kept + 1 or len(ids) != offsets[-1]:
                raise ValueError(
                    f"folder must be a complete token store; {folder} has files of the wrong size"
                )
            if offsets[0] != 0 or (offsets[1:] <= offsets[:-1]).any():
                raise ValueError(
                    f"folder must be a whole token store; {folder} has a sentence without an end"
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
    ) -> tuple["TokenStore", FilterReport]:
        """The same in memory, from two lists of sentences.

        Raises:
            ValueError: if the lists are not of equal length, or no pair is left.
        """
        if len(source_lines) != len(target_lines):
            counts = f"{len(source_lines):,} and {len(target_lines):,}"
            raise ValueError(
                f"source_lines and target_lines must be of equal length; received {counts}"
            )
        files = [io.BytesIO() for _ in _FILES]
        pairs = zip(source_lines, target_lines, strict=True)
        dtype, report = _write(
            files, pairs, source_tokenizer, target_tokenizer, config or DataConfig()
        )
        arrays = [
            np.frombuffer(file.getbuffer(), (dtype, np.int64)[i % 2])
            for i, file in enumerate(files)
        ]
        return cls(arrays[::2], arrays[1::2], report), report

    def __len__(self):
        return len(self._offsets[0]) - 1

    def pair(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Source and target ids of one pair, without begin and end."""
        source, target = (
            ids[offsets[index] : offsets[index + 1]]
            for ids, offsets in zip(self._ids, self._offsets, strict=True)
        )
        return source, target

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each pair's source and target, without begin and end: `(n, 2)` int32."""
        return np.stack(
            [np.diff(offsets).astype(np.int32) for offsets in self._offsets], axis=1
        )

    def padded(
        self, rows: np.ndarray, width: int, pad: int = PAD
    ) -> tuple[np.ndarray, np.ndarray]:
        """Source and target ids of some pairs, right-padded: two `(len(rows), width)` int32.

        `width` is at least the longest of these sentences.
        """
        columns = np.arange(width)
        padded = []
        for ids, offsets in zip(self._ids, self._offsets, strict=True):
            starts, ends = offsets[rows, None], offsets[rows + 1, None]
            places = starts + columns
            # Beyond a sentence's end lie the next one's ids, and after the last
            # sentence nothing.
            found = ids[np.minimum(places, len(ids) - 1)]
            padded.append(np.where(places < ends, found, pad).astype(np.int32))
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
    sentence_format = SentenceFormat.of(*tokenizers)
    # The limit counts the end token already.
    around = max(sentence_format.around_source, sentence_format.around_labels) - 1
    config = (
        dataclasses.replace(config, max_length=config.max_length - around)
        if around
        else config
    )
    dtype = np.dtype(
        np.uint16 if max(t.vocab_size for t in tokenizers) <= 2**16 else np.uint32
    )
    counts = dict.fromkeys(
        (field.name for field in dataclasses.fields(FilterReport)), 0
    )
    written = [0, 0]
    for offsets in files[1::2]:
        offsets.write(np.int64(0).tobytes())
    pairs = iter(pairs)
    while (chunk := usual_pairs(pairs, counts)) is not None:
        encoded = [
            tokenizer.encode([pair[side] for pair in chunk])
            for side, tokenizer in enumerate(tokenizers)
        ]
        verdicts = [
            judge(len(source), len(target), config)
            for source, target in zip(*encoded, strict=True)
        ]
        for verdict in verdicts:
            counts[verdict] += 1
        for side, sentences in enumerate(encoded):
            kept = [
                ids
                for ids, verdict in zip(sentences, verdicts, strict=True)
                if verdict == "kept"
            ]
            ends = written[side] + np.cumsum([len(ids) for ids in kept], dtype=np.int64)
            files[2 * side].write(
                np.fromiter(itertools.chain.from_iterable(kept), dtype).tobytes()
            )
            files[2 * side + 1].write(ends.tobytes())
            written[side] = int(ends[-1]) if kept else written[side]
    report = FilterReport(**counts)
    if not report.kept:
        raise ValueError(
            f"pairs must contain at least one that passes the filters; {report}"
        )
    return dtype, report
