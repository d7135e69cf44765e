"""Which pairs of a corpus to keep."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class FilterReport:
    """How many pairs were kept, and dropped, each for the first reason that holds."""

    kept: int = 0
    empty: int = 0  # nothing on one side, or nothing to be seen
    too_long: int = 0  # more tokens than `max_length` on one side
    ratio: int = 0  # one side more than `max_ratio` times the other

    def __str__(self):
        dropped = self.empty + self.too_long + self.ratio
        return (
            f"kept {self.kept:,} of {self.kept + dropped:,} pairs; dropped "
            f"{dropped:,}: {self.empty:,} empty, {self.too_long:,} too long, "
            f"{self.ratio:,} of unlikely length ratio"
        )


def judge(lengths, config):
    """The field of `FilterReport` in which each pair is counted: `(n,)` strings.

    Args:
        lengths: `(n, 2)` tokens of source and target, without end tokens.
        config: a `DataConfig`, whose limits count an end token on each side.
    """
    shorter = lengths.min(axis=1) + 1
    longer = lengths.max(axis=1) + 1
    reasons = {
        "empty": shorter == 1,
        "too_long": longer > config.max_length,
        "ratio": longer > config.max_ratio * shorter,
    }
    return np.select(list(reasons.values()), list(reasons), "kept")
