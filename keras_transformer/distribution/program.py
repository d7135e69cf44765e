"""What a program of XLA needs: memory, arithmetic, and what its devices exchange."""

import math
import re
from collections import Counter
from dataclasses import dataclass

# Bytes of an element; of other types, such as a token, nothing is counted.
WIDTHS = dict(pred=1, s8=1, u8=1, f8e4m3fn=1, f8e5m2=1)
WIDTHS |= dict(bf16=2, f16=2, s16=2, u16=2, f32=4, s32=4, u32=4)
WIDTHS |= dict(f64=8, s64=8, u64=8, c64=8, c128=16)
KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
INSTRUCTION = re.compile(r"%(\S+) = (.*?) ([a-z][\w-]*)\((.*?)\)(?:, |$)")
COMPUTATION = re.compile(r"^(ENTRY )?%(\S+) .*\{$")
NAME = r"%([\w.-]+)"
CALLED = re.compile(r"(?:body=|condition=|branch_computations=\{)((?:%[\w.-]+,? ?)+)")
ARRAY = re.compile(r"(\w+)\[([\d,]*)\](?:\{[^}]*?(?:S\((\d+)\))?\})?")
# These only name what is there.
NAMES = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all")
# These copy a whole array, or a slice of one, from one memory to another meanwhile.
COPIES = ("copy-start", "slice-start")


@dataclass(frozen=True)
class Collective:
    """The exchanges of one kind, among groups of so many devices, in one step.

    Args:
        kind: such as `all-reduce`.
        group: how many devices take part together.
        count: how many there are.
        result_bytes: bytes of their results on one device.
        sent_bytes: bytes that each device of a ring sends for them.
    """

    kind: str
    group: int
    count: int
    result_bytes: int
    sent_bytes: float


def collectives(program, devices):
    """The `Collective`s in the text of a compiled program."""
    counts = Counter()
    results = Counter()
    for line in program.splitlines():
        match = re.search(rf"= (.*?) ({KINDS})(?:-start)?\(", line)
        if match:
            result, kind = match.groups()
            key = (kind, group_size(line, devices))
            counts[key] += 1
            results[key] += sum(size for size, _ in sizes_and_places(result))
    exchanges = []
    for (kind, group), count in counts.items():
        size = results[kind, group]
        one = Collective(kind, group, count, size, sent(kind, size, group))
        exchanges.append(one)
    return exchanges


def traffic(program):
    """Bytes that the compiled program of a TPU reads from main memory and writes there.

    The compiler's own count takes the memory on the chip for main memory. In the text
    of the program each array says where it lies. An array counts whole where only some
    of it is read, and the body of a loop counts once.
    """
    computations = {}
    for line in program.splitlines():
        begins = COMPUTATION.match(line)
        if begins:
            name = "ENTRY" if begins[1] else begins[2]
            computations[name] = []
            lines = computations[name]
        elif computations:
            lines.append(line)
    total = 0
    waiting = ["ENTRY"]
    while waiting:
        lines = computations[waiting.pop()]
        total += sum(moved(lines))
        for called in CALLED.findall("\n".join(lines)):
            waiting += re.findall(NAME, called)
    return total


def moved(lines):
    """Bytes of main memory that each instruction of a computation moves."""
    made = {}
    for line in lines:
        match = INSTRUCTION.search(line)
        if not match:
            continue
        name, kind, does, given = match.groups()
        made[name] = off_chip(kind)
        if does in COPIES:
            # The result names both ends; what moves is as large as the smaller one.
            ends = sizes_and_places(kind)[:2]
            size = min(size for size, _ in ends)
            yield sum(size for _, on_chip in ends if not on_chip)
        elif does not in NAMES and not does.endswith("-done"):
            operands = re.findall(NAME, given)
            yield made[name] + sum(made.get(operand, 0) for operand in operands)


def sizes_and_places(kind):
    """The bytes of each array of a result, and whether it is on the chip."""
    found = []
    for dtype, shape, place in ARRAY.findall(kind):
        if dtype in WIDTHS:
            found.append((array_bytes(dtype, shape), place not in ("", "0")))
    return found


def off_chip(kind):
    """Bytes of a result that lie in main memory."""
    return sum(size for size, on_chip in sizes_and_places(kind) if not on_chip)


def array_bytes(dtype, shape):
    """Bytes of one array, whose sizes stand between commas."""
    sizes = [int(size) for size in shape.split(",") if size]
    return WIDTHS[dtype] * math.prod(sizes)


def sent(kind, size, group):
    """Bytes that each device of a ring sends for a collective with that result."""
    if kind == "collective-permute":
        return size
    rounds = {"all-reduce": 2, "reduce-scatter": group}.get(kind, 1)
    return rounds * size * (group - 1) / group


def group_size(line, devices):
    """How many devices take part together, of the three ways in which XLA writes it."""
    counted = re.search(r"replica_groups=\[\d+,(\d+)\]", line)
    if counted:
        return int(counted[1])
    named = re.search(r"replica_groups=mesh\[(.*?)\].*? \{(.*?)\}", line)
    if named:
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", named[1]))
        axes = re.findall(r"'(\w+)'", named[2])
        return math.prod(int(sizes[axis]) for axis in axes)
    listed = re.search(r"replica_groups=\{\{([\d,]+)\}", line)
    if listed:
        return listed[1].count(",") + 1
    return devices
