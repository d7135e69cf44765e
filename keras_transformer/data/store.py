"""A parallel corpus as token ids in memory-mapped files."""

import collections
import itertools

import numpy as np

from ..config import DataConfig, expect, expect_kind
from ..process.bars import advance
from ..text.lines import checked_text, expect_list
from ..text.normalization import has_text
from ..text.sentence_format import SentenceFormat
from ..text.special_tokens import PAD
from .cleaning import FilterReport, judge, other_limits
from .id_store import IdStore, begin_side, spans, type_of_ids, write_rows

CHUNK = 1000  # pairs tokenised at a time
ENORMOUS = 100_000  # characters; such a line is too long whatever its tokens


class TokenStore(IdStore):
    """A tokenised parallel corpus with random access, an `IdStore`.

    From `build` and `open` its arrays are memory-mapped; from `from_lines` they are in
    memory.

    Attributes:
        report: what the filters kept and dropped.

    Examples:
        >>> tokenizer = Tokenizer.train(["ab ba", "ba ab"], vocab_size=9)
        >>> store = TokenStore.from_lines(["ab", "b"], ["ba", ""], tokenizer)
        >>> len(store), store.report.empty
        (1, 1)
    """

    kind = "token store"
    files = ("source.ids", "source.offsets", "target.ids", "target.offsets")
    report_kind = FilterReport

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
        return cls._build(folder, pairs, tokenizers, config)

    @classmethod
    def from_lines(cls, source_lines, target_lines, *tokenizers, config=None):
        """The same in memory, from sentences and as many translations."""
        expect_list(source_lines, "source_lines")
        expect_list(target_lines, "target_lines")
        sources = list(source_lines)
        targets = list(target_lines)
        counts = [len(sources), len(targets)]
        expect(counts[0] == counts[1], "both sides", "have as many lines", counts)
        return cls._in_memory(zip(sources, targets), tokenizers, config)

    def __len__(self):
        return self.report.kept

    @property
    def lengths(self):
        """Tokens of each source and target, without begin and end: `(n, 2)`.

        Their type is the smallest that holds them.
        """
        found = np.empty((len(self), 2), np.min_scalar_type(self.report.longest))
        for side, (_, offsets) in enumerate(self._sides):
            for start, part in spans(offsets):
                found[start : start + len(part) - 1, side] = np.diff(part)
        return found

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

    @staticmethod
    def _write(files, pairs, tokenizers, config):
        if config is None:
            config = DataConfig()
        expect_kind("config", config, DataConfig)
        count = len(tokenizers)
        expect(count in (1, 2), "tokenizers", "be a pair, or one for both sides", count)
        tokenizers = (tokenizers[0], tokenizers[-1])
        # The limit counts the end token already.
        layout = SentenceFormat.of(*tokenizers)
        around = max(layout.around_source, layout.around_labels) - 1
        limits = other_limits(config)
        dtype = type_of_ids(*tokenizers)
        files = [files[:2], files[2:]]
        counts = collections.Counter()
        others = collections.Counter()
        longest = 0
        ends = [begin_side(own) for own in files]
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
            for side in (0, 1):
                rows = list(itertools.compress(sides[side], kept))
                ends[side] = write_rows(files[side], rows, ends[side], dtype)
            advance(len(chunk))
        report = FilterReport(
            **counts,
            max_length=config.max_length,
            max_ratio=config.max_ratio,
            longest=longest,
            others=dict(others),
        )
        must = "hold at least one that passes the filters"
        expect(report.kept, "pairs", must, str(report))
        return dtype, report


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
