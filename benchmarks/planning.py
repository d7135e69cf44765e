"""The tables of estimates in docs/scaling.md: what the formulas say of many chips.

Nothing is measured here.

    python -m benchmarks.planning
"""

from benchmarks import formulas
from keras_transformer.config import preset

VOCABULARY = 32_000
LENGTH = 32
# Peak bfloat16 FLOP/s without sparsity; devices with fast links among each other; bytes
# a second that one can send to these, and beyond; assumed dollars an hour.
# docs/scaling.md says from where.
CHIPS = {
    "A100 80 GB": dict(flops=312e12, domain=8, inside=300e9, outside=25e9, price=2.00),
    "H100 SXM": dict(flops=989e12, domain=8, inside=450e9, outside=50e9, price=4.00),
    "TPU v5e": dict(flops=197e12, domain=256, inside=200e9, outside=3.1e9, price=1.20),
    "TPU v5p": dict(flops=459e12, domain=6144, inside=600e9, outside=3.1e9, price=4.20),
}
SHARES = {"base": 0.25, "big": 0.33}  # of the peak
PAPER_TOKENS = 25_000  # target tokens of an update
MANY_TOKENS = 400_000
UPDATES = {"base": 100_000, "big": 300_000}  # the paper's
PAIRS = 36_000_000  # WMT14 English-French
SOURCE_TOKENS = 30
TARGET_TOKENS = 35


def seconds(size, tokens, devices, chip):
    """Of one update: arithmetic, sending."""
    config = preset(size, source_vocab_size=VOCABULARY, target_vocab_size=VOCABULARY)
    return formulas.step_seconds(
        config, tokens, LENGTH, devices, CHIPS[chip], SHARES[size]
    )


def scaling():
    """Lines of the table of milliseconds and efficiency."""
    settings = (
        (8, PAPER_TOKENS),
        (64, PAPER_TOKENS),
        (64, MANY_TOKENS),
        (1024, MANY_TOKENS),
    )
    columns = " | ".join(f"{n:,} chips, {tokens:,} tokens" for n, tokens in settings)
    yield f"| preset | chip | {columns} |"
    yield "|---|---|" + "---|" * len(settings)
    for size in SHARES:
        for chip in CHIPS:
            cells = []
            for devices, tokens in settings:
                work, sending = seconds(size, tokens, devices, chip)
                shares = (
                    f"{work / (work + sending):.0%} to {work / max(work, sending):.0%}"
                )
                cells.append(f"{work * 1e3:.1f} + {sending * 1e3:.1f} ms, {shares}")
            yield f"| {size} | {chip} | {' | '.join(cells)} |"


def english_french():
    """Lines of the table of hours and dollars; nothing overlaps."""
    yield "| preset | chip | hours on 1 | hours on 8 | dollars on 8 | hours on 64 |"
    yield "|---|---|---|---|---|---|"
    for size, updates in UPDATES.items():
        for chip, facts in CHIPS.items():
            one, eight, many = (
                updates * sum(seconds(size, PAPER_TOKENS, n, chip)) / 3600
                for n in (1, 8, 64)
            )
            dollars = 8 * eight * facts["price"]
            cells = f"{one:.1f} | {eight:.2f} | {dollars:.0f} | {many:.2f}"
            yield f"| {size} | {chip} | {cells} |"


def store():
    """Lines on the size of the corpus."""
    size = formulas.store_bytes(PAIRS, SOURCE_TOKENS, TARGET_TOKENS, VOCABULARY)
    tokens = PAIRS * TARGET_TOKENS / 1e9
    yield (
        f"{PAIRS:,} pairs: a store of {size / 1e9:.2f} GB, "
        f"{tokens:.2f} billion target tokens"
    )


if __name__ == "__main__":
    for lines in (scaling, store, english_french):
        print(*lines(), "", sep="\n")
