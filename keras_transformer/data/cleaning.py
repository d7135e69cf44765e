"""Which pairs of a corpus to keep."""

import dataclasses

import numpy as np

MOST = 100_000  # tokens: the largest limit


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
                change = {name: value}
                configs[f"{name}={value}"] = dataclasses.replace(config, **change)
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
