"""A parallel corpus as token ids in memory-mapped files."""

import collections
import contextlib
import dataclasses
import io
import itertools
import json
from pathlib import Path

import numpy as np

from ..config import DataConfig, expect
from ..runs.bars import advance
from ..runs.sealed_files import written_aside
from ..text.lines import checked_text, expect_list
from ..text.normalization import has_text
from ..text.sentence_format import SentenceFormat
from ..text.special_tokens import PAD
from .cleaning import FilterReport, judge, other_limits

CHUNK = 1000  # pairs tokenised at a time
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

    Examples:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> store = TokenStore.from_lines(["ab", "b"], ["ba", ""], tokenizer)
        >>> len(store), store.report.empty
        (1, 1)
    """

    def __init__(self, arrays, report):
        # Plain views: slicing np.memmap itself is several times slower.
        plain = [np.asarray(array) for array in arrays]
        self._sides = (plain[:2], plain[2:])
        self.report = report

    @classmethod
    def build(cls, folder, pairs, *tokenizers, config=None):
        """Tokenise and filter pairs into a folder, in constant memory.

        The folder appears only when it is complete.

        Args:
            folder: a new folder.
            pairs: (source, target) strings, as from `read_pairs`.
            *tokenizers: of the source and of the target, or one for both.
            config: the filters' limits; `DataConfig()` when absent.

        Raises:
            ValueError: if the folder exists, `pairs` fails, or no pair is left.
        """
        folder = Path(folder)
        expect(not folder.exists(), "folder", "not exist yet", str(folder))
        folder.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(folder) as aside:
            aside.mkdir()
            paths = [aside / name for name in FILES]
            with contextlib.ExitStack() as opened:
                files = [opened.enter_context(path.open("wb")) for path in paths]
                dtype, report = _write(files, pairs, tokenizers, config)
            content = {"dtype": dtype, "report": dataclasses.asdict(report)}
            (aside / "store.json").write_text(json.dumps(content), "utf-8")
        return cls.open(folder)

    @classmethod
    def open(cls, folder):
        """Open a folder that `build` made; a `ValueError` if it is no whole one."""
        folder = Path(folder)
        try:
            content = json.loads((folder / "store.json").read_text("utf-8"))
            report = FilterReport(**content["report"])
            types = zip(FILES, 2 * (content["dtype"], "int64"))
            arrays = [np.memmap(folder / name, kind, "r") for name, kind in types]
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"folder must be a token store; {folder} is not: {error}"
            raise ValueError(message) from None
        store = cls(arrays, report)
        for ids, offsets in store._sides:
            sizes_fit = len(offsets) == report.kept + 1 and len(ids) == offsets[-1]
            is_complete = sizes_fit and offsets[0] == 0 and (np.diff(offsets) > 0).all()
            expect(is_complete, "folder", "be a complete token store", str(folder))
        return store

    @classmethod
    def from_lines(cls, source_lines, target_lines, *tokenizers, config=None):
        """The same in memory, from sentences and as many translations."""
        expect_list(source_lines, "source_lines")
        expect_list(target_lines, "target_lines")
        sources = list(source_lines)
        targets = list(target_lines)
        counts = [len(sources), len(targets)]
        expect(counts[0] == counts[1], "both sides", "have as many lines", counts)
        files = [io.BytesIO() for _ in FILES]
        dtype, report = _write(files, zip(sources, targets), tokenizers, config)
        types = 2 * (dtype, "int64")
        arrays = [np.frombuffer(file.getbuffer(), t) for file, t in zip(files, types)]
        return cls(arrays, report)

    def __len__(self):
        return self.report.kept

    @property
    def lengths(self):
        """Tokens of each source and target, without begin and end: `(n, 2)` int32."""
        sides = [np.diff(offsets).astype(np.int32) for _, offsets in self._sides]
        return np.stack(sides, axis=1)

    def padded(self, rows, width, pad=PAD):
        """Source and target ids of some pairs, right-padded: two `(len(rows), width)`.

        They are int32; `width` is at least the longest of these sentences.
        """
        padded = []
        for ids, offsets in self._sides:
            places = offsets[rows, None] + np.arange(width)
            inside = places < offsets[rows + 1, None]
            # After the last sentence lies nothing.
            found = ids.take(places, mode="clip")
            padded.append(np.where(inside, found, pad).astype(np.int32))
        return padded

    @property
    def dtype(self):
        """The type of the ids."""
        return self._sides[0][0].dtype

    def sentences(self, rows):
        """The ids of some pairs: two lists of arrays, sources and targets."""
        sides = []
        for ids, offsets in self._sides:
            sides.append([ids[offsets[row] : offsets[row + 1]] for row in rows])
        return sides

    def texts(self, rows, *tokenizers):
        """The sentences of some pairs: two lists, sources and targets."""
        sides = zip(tokenizers, self.sentences(rows), strict=True)
        return [tokenizer.decode(sentences) for tokenizer, sentences in sides]


def usual_pairs(pairs, markup, counts):
    """The pairs that can be tokenised, with symbols for markup; others are counted."""
    for pair in pairs:
        pair = [checked_text(text, "each text of the pairs") for text in pair]
        if not all(map(has_text, pair)):
            counts["empty"] += 1
        elif max(map(len, pair)) > ENORMOUS:
            counts["too_long"] += 1
        elif markup is None:
            yield pair
        else:
            fitting = markup.protect_pair(*pair)
            if fitting is not None:
                yield fitting
            else:
                counts["markup"] += 1


def _write(files, pairs, tokenizers, config):
    """Tokenise and filter pairs into open `FILES`; give the type of ids, a report."""
    config = config or DataConfig()
    tokenizers = (tokenizers[0], tokenizers[-1])
    # The limit counts the end token already.
    layout = SentenceFormat.of(*tokenizers)
    around = max(layout.around_source, layout.around_labels) - 1
    limits = other_limits(config)
    largest = max(tokenizer.vocab_size for tokenizer in tokenizers)
    dtype = "uint16" if largest <= 2**16 else "uint32"
    counts = collections.Counter()
    others = collections.Counter()
    longest = 0
    ends = np.zeros(2, np.int64)
    for file in files[1::2]:
        file.write(ends[:1].tobytes())

    usual = usual_pairs(pairs, tokenizers[0].markup, counts)
    while chunk := list(itertools.islice(usual, CHUNK)):
        lines = zip(*chunk)
        sides = [tokenizer.encode(list(next(lines))) for tokenizer in tokenizers]
        lengths = np.array([[len(ids) for ids in side] for side in sides]).T
        for name, limit in limits.items():
            others[name] += int(np.sum(judge(lengths, limit, around) == "kept"))
        verdicts = judge(lengths, config, around)
        counts.update(verdicts.tolist())
        longest = max(longest, int(lengths.max()) + around + 1)
        kept = verdicts == "kept"
        offsets = ends + np.cumsum(lengths[kept], axis=0)
        for side in (0, 1):
            sentences = itertools.compress(sides[side], kept)
            ids = np.fromiter(itertools.chain.from_iterable(sentences), dtype)
            files[2 * side].write(ids.tobytes())
            files[2 * side + 1].write(offsets[:, side].tobytes())
        ends += lengths[kept].sum(axis=0)
        advance(len(chunk))
    report = FilterReport(
        **counts,
        max_length=config.max_length,
        max_ratio=config.max_ratio,
        longest=longest,
        others=dict(others),
    )
    expect(
        report.kept, "pairs", "hold at least one that passes the filters", str(report)
    )
    return dtype, report
