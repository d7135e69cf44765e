"""What follows from what one device needs for a step: time, hours, what fits."""

from dataclasses import asdict, dataclass

from .chips import CHIPS, GPUS_A_BOX

DERIVED = (
    "seconds",
    "bound",
    "step_seconds",
    "tokens_per_second",
    "share_of_peak",
    "hours",
    "chip_hours",
    "largest_batch",
)

PREFIXES = {1e15: "P", 1e12: "T", 1e9: "G", 1e6: "M", 1e3: "k"}


@dataclass(frozen=True)
class Plan:
    """What a step of training needs on one device, and what follows for the machine.

    Of a step, `seconds` has how long arithmetic (`compute`), `memory` and `links` take,
    each at its published peak; `bound` is what takes longest, and `step_seconds` how
    long: all is assumed to overlap, so that no machine is faster.

    Args:
        topology: such as `v5e:2x4`.
        devices: how many.
        model_devices: how many of them share one model.
        rows, length: the shape of a batch on all devices.
        steps: of the recipe; accumulation takes several an update.
        dtype: Keras's policy.
        parameters: of the model.
        memory: bytes by kind: weights, optimizer, batch, temporaries, program.
        flops: of arithmetic.
        bytes: read from the chip's main memory and written there.
        counted_bytes: read and written in any memory, by the compiler's own count; of
            a TPU, most of them stay on the chip.
        collectives: a `Collective` for each kind of exchange.
    """

    topology: str
    devices: int
    model_devices: int
    rows: int
    length: int
    steps: int
    dtype: str
    parameters: int
    memory: dict
    flops: float
    bytes: float
    counted_bytes: float
    collectives: list

    @property
    def chip(self):
        """The `Chip`, with its published figures."""
        return CHIPS[self.topology.partition(":")[0]]

    @property
    def peak(self):
        """FLOPs a second of one device at best, in the recipe's type."""
        chip = self.chip
        return chip.float32 if self.dtype == "float32" else chip.bfloat16

    @property
    def seconds(self):
        """How long each of arithmetic, memory and links takes."""
        chip = self.chip
        links = sum(one.sent_bytes for one in self.collectives) / chip.links
        if chip.network is not None:
            # Between boxes, each GPU sends its part of what its box sends.
            wide = [one for one in self.collectives if one.group > GPUS_A_BOX]
            part = sum(one.sent_bytes for one in wide) / GPUS_A_BOX
            links += part / chip.network
        compute = self.flops / self.peak
        return dict(compute=compute, memory=self.bytes / chip.bandwidth, links=links)

    @property
    def bound(self):
        return max(self.seconds, key=self.seconds.get)

    @property
    def step_seconds(self):
        return self.seconds[self.bound]

    @property
    def tokens(self):
        """Target tokens of a batch, padding included."""
        return self.rows * self.length

    @property
    def tokens_per_second(self):
        return self.tokens / self.step_seconds

    @property
    def share_of_peak(self):
        return self.seconds["compute"] / self.step_seconds

    @property
    def hours(self):
        return self.steps * self.step_seconds / 3600

    @property
    def chip_hours(self):
        return self.hours * self.devices

    @property
    def used(self):
        """Bytes of a device's memory."""
        return sum(self.memory.values())

    @property
    def largest_batch(self):
        """The target tokens of a batch that fit, about.

        What is kept between two steps stays; the rest grows with the batch.
        """
        growing = self.memory["temporaries"] + self.memory["batch"]
        kept = self.used - growing
        free = max(0, self.chip.memory - kept)
        rows = int(self.rows * free / growing)
        groups = self.devices // self.model_devices
        return rows // groups * groups * self.length

    def facts(self):
        """All of this, and what was assumed of the chip, as JSON can hold it."""
        found = {name: getattr(self, name) for name in DERIVED}
        return asdict(self) | found | {"assumed": asdict(self.chip)}

    def __str__(self):
        rows = self._of_the_run() | self._of_a_device() | self._of_the_machine()
        width = max(map(len, rows))
        lines = [f"{name:{width}}  {text}" for name, text in rows.items()]
        return "\n".join(lines)

    def _of_the_run(self):
        machine = f"{self.devices} x {self.chip.name} ({self.topology})"
        if self.model_devices > 1:
            machine += f", {self.model_devices} share a model"
        return {
            "machine": machine,
            "model": f"{short(self.parameters)} parameters, {self.dtype}",
            "batch": f"{self.tokens:,} target tokens, in rows of {self.length}",
        }

    def _of_a_device(self):
        whole = self.chip.memory
        share = f"{self.used / whole:.0%}"
        rows = {"a device's memory": f"{short(self.used)}B of {short(whole)}B, {share}"}
        for kind, size in self.memory.items():
            rows[f"  {kind}"] = f"{short(size)}B"
        rows["its arithmetic"] = f"{short(self.flops)}FLOP a step"
        rows["read and written"] = f"{short(self.bytes)}B"
        if self.counted_bytes > self.bytes:
            rows["with on-chip memory"] = f"{short(self.counted_bytes)}B"
        for one in self.collectives:
            name = f"{one.count} {one.kind} of {one.group}"
            rows[name] = f"{short(one.sent_bytes)}B sent"
        return rows

    def _of_the_machine(self):
        chip = self.chip
        times = [f"{name} {time * 1e3:.3g}" for name, time in self.seconds.items()]
        longest = f"{self.step_seconds * 1e3:.3g} ms, bound by {self.bound}"
        hours = f"{self.hours:.3g} hours, {self.chip_hours:.3g} chip hours"
        peaks = [f"{short(self.peak)}FLOP/s", f"memory {short(chip.bandwidth)}B/s"]
        peaks.append(f"links {short(chip.links)}B/s")
        if chip.network is not None:
            peaks.append(f"between boxes {short(chip.network)}B/s")
        return {
            "milliseconds": ", ".join(times),
            "a step at best": longest,
            "share of the peak": f"{self.share_of_peak:.0%}",
            "target tokens": f"{short(self.tokens_per_second)} a second",
            f"{self.steps:,} steps": hours,
            "largest batch": f"about {self.largest_batch:,} target tokens",
            "assumed": ", ".join(peaks),
            "published by": chip.source,
        }


def short(number):
    """A number in thousands, millions ..., of three digits.

    Example:
        >>> short(1_556_600_000)
        '1.56 G'
    """
    for size, prefix in PREFIXES.items():
        if number >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number:.3g} "
