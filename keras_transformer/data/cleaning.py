"""What was kept of a corpus and what was dropped; the filters by numbers of tokens."""

import collections
import dataclasses

import numpy as np

MOST = 100_000  # tokens: the largest limit
SHOWN = 36  # characters of an example's side in a table
KEPT = 300  # of one that is kept


@dataclasses.dataclass
class CleaningReport:
    """What readers skipped, and what filters dropped and repaired.

    Attributes:
        read, kept: pairs.
        skipped: what was no pair, by reason.
        dropped, repaired: pairs, by the name of the filter.
        examples: one pair of each filter, as it was read.
        held_out: pairs that validate, if they were drawn from these.
        mixed: pairs as often as the weights of a mixture say; None of other corpora.
    """

    read: int = 0
    kept: int = 0
    skipped: dict = dataclasses.field(default_factory=dict)
    dropped: dict = dataclasses.field(default_factory=collections.Counter)
    repaired: dict = dataclasses.field(default_factory=collections.Counter)
    examples: dict = dataclasses.field(default_factory=dict)
    held_out: int = 0
    mixed: int | None = None

    def note(self, counts, name, pair):
        """Count a pair in `dropped` or `repaired`, by the name of the filter."""
        counts[name] += 1
        self.examples.setdefault(name, [text[:KEPT] for text in pair])

    @property
    def summary(self):
        """The numbers in one line."""
        count = sum(self.dropped.values())
        said = f"kept {self.kept:,} of {self.read:,} pairs; dropped {count:,}"
        if count:
            said += f": {counted(self.dropped)}"
        if any(self.repaired.values()):
            said += f"; repaired: {counted(self.repaired)}"
        if any(self.skipped.values()):
            said += f"; no pairs: {counted(self.skipped)}"
        if self.mixed is not None:
            said += f"; {self.mixed:,} by their weights"
        if self.held_out:
            said += f"; {self.held_out:,} of those kept are held out to validate"
        return said

    def __str__(self):
        if not self.examples:
            return self.summary
        rows = [f"{'filter':22} {'dropped':>9} {'repaired':>9}  one of them"]
        for name, pair in self.examples.items():
            numbers = f"{self.dropped[name]:9,} {self.repaired[name]:9,}"
            rows.append(f"{name:22} {numbers}  {one_line(*pair)}")
        named = [name for name in self.examples if name != "empty"]
        if named:
            flags = " ".join("--no-" + name.replace("_", "-") for name in named)
            rows.append(f"To keep them as they are: {flags}")
        return "\n".join([self.summary, *rows])


def counted(counts):
    """Counts by name in words."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def one_line(*pair):
    """The beginnings of two texts in one line."""
    sides = [" ".join(text.split()) for text in pair]
    cut = [side if len(side) <= SHOWN else f"{side[: SHOWN - 3]}..." for side in sides]
    return " -> ".join(map(repr, cut))


@dataclasses.dataclass(frozen=True)
class FilterReport:
    """How many pairs were kept, and dropped, each for the first reason that holds."""

    kept: int = 0
    empty: int = 0  # nothing on one side, or nothing to be seen
    too_long: int = 0  # more tokens than `max_length` on one side
    markup: int = 0  # not the same marks on both sides
    ratio: int = 0  # one side more than `max_ratio` times the other
    max_length: int | None = dataclasses.field(default=None, compare=False)
    max_ratio: float | None = dataclasses.field(default=None, compare=False)
    # Tokens of the longest sentence, with its end.
    longest: int = dataclasses.field(default=0, compare=False)
    # Limits as `name=value`, and how many pairs would be kept with each.
    others: dict = dataclasses.field(default_factory=dict, compare=False)

    def __str__(self):
        dropped = self.empty + self.too_long + self.markup + self.ratio
        long = f"{self.too_long:,} too long"
        if self.too_long and self.max_length:
            limit = f"longer than max_length={self.max_length} tokens"
            long += f" ({limit}; the longest has {self.longest:,})"
        ratio = f"{self.ratio:,} of unlikely length ratio"
        if self.ratio and self.max_ratio:
            ratio += f" (above max_ratio={self.max_ratio})"
        if self.markup:
            ratio += f", {self.markup:,} with other markup on each side"
        lines = [
            f"kept {self.kept:,} of {self.kept + dropped:,} pairs; dropped "
            f"{dropped:,}: {self.empty:,} empty, {long}, {ratio}"
        ]
        for limit, kept in self.others.items():
            if kept > self.kept:
                lines.append(f"{limit} would keep {kept:,}")
        return "; ".join(lines)


def other_limits(config):
    """A `DataConfig` with each limit at twice and four times its value, by its name."""
    configs = {}
    for name in ("max_length", "max_ratio"):
        for factor in (2, 4):
            value = factor * getattr(config, name)
            if value <= MOST:
                changed = dataclasses.replace(config, **{name: value})
                configs[f"{name}={value}"] = changed
    return configs


def judge(lengths, config, around=0):
    """The field of `FilterReport` in which each pair is counted: `(n,)` strings.

    Args:
        lengths: `(n, 2)` tokens of source and target, without end tokens.
        config: a `DataConfig`, whose limits count an end token on each side.
        around: tokens that stand around a sentence, beside the end.
    """
    shorter = lengths.min(axis=1) + 1
    longer = lengths.max(axis=1) + 1
    reasons = {
        "empty": shorter == 1,
        "too_long": longer > config.max_length - around,
        "ratio": longer > config.max_ratio * shorter,
    }
    return np.select(list(reasons.values()), list(reasons), "kept")
