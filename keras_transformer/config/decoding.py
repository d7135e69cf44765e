"""How translations are searched."""

import dataclasses
from typing import Literal

from .fields import amount, check_fields, check_only, count, expect, option, whole

BEAM = ("search", "beam")
SAMPLING = ("search", "sampling")


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """How a translation is searched; the defaults are the paper's (section 6.1)."""

    search: Literal["beam", "greedy", "sampling"] = option(
        "beam", "how the next token is chosen"
    )
    beam: int = count(4, "hypotheses kept by beam search", most=1000, only=BEAM)
    # With more, the longest translations' penalty would be no float32.
    length_penalty: float = amount(
        0.6, "alpha; 0 is probability alone", most=5.0, only=BEAM
    )
    penalty: Literal["gnmt", "power"] = option(
        "gnmt", "((5 + length) / 6)^alpha as in the paper, or length^alpha", only=BEAM
    )
    coverage_penalty: float = amount(
        0.0, "beta: how much it counts that a part is untranslated", most=5.0, only=BEAM
    )
    no_repeat_ngram: int = whole(
        0, "so many tokens in a row never come twice in a translation; 0 is off"
    )
    extra_length: int = whole(
        50, "most tokens beyond the source's, or a prompt's", most=100_000
    )
    n_best: int = count(1, "translations of each sentence, best first", most=1000)
    temperature: float = option(
        1.0, "sampling: below 1 sharper, above 1 flatter", 1e-3, only=SAMPLING
    )
    top_k: int = whole(
        0, "sampling: choose among the k likeliest tokens; 0 is off", only=SAMPLING
    )
    top_p: float = option(
        1.0,
        "sampling: choose among the likeliest that hold this much",
        1e-6,
        1.0,
        only=SAMPLING,
    )
    seed: int = option(0, "sampling: seed", 0, 2**32 - 1, only=SAMPLING)
    mbr: int = whole(
        0,
        "sampling: draw so many, and give those that agree most by chrF; 0 is off",
        most=1000,
        only=SAMPLING,
    )
    batch_size: int = count(64, "sentences translated together", most=1_000_000)
    max_source_length: int | None = option(
        None,
        "tokens of a source sentence with its end, the rest is cut off; when absent "
        "the max_length of the run, at least 256",
        2,
        100_000,
    )

    def __post_init__(self):
        check_fields(self)
        # `beam` may be set whatever the search: programs use one configuration for
        # several.
        fields = [f for f in dataclasses.fields(self) if f.metadata["only"] == SAMPLING]
        changed = [f.name for f in fields if getattr(self, f.name) != f.default]
        if self.coverage_penalty:
            changed.append("coverage_penalty")
        check_only(self, changed)
        most = {"beam": self.beam, "greedy": 1}.get(self.search, self.samples)
        expectation = f"be at most {most} with search={self.search!r}"
        expect(self.n_best <= most, "n_best", expectation, self.n_best)

    @property
    def samples(self):
        """How many samples of each sentence are drawn."""
        return self.mbr or self.n_best

    @property
    def longest_source(self):
        """`max_source_length`, or 256 when it is absent."""
        return self.max_source_length or 256
