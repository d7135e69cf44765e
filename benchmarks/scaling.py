"""What one training step needs on 1, 2, 4 and 8 devices: as XLA compiles it, beside the formulas of docs/scaling.md.

    python -m benchmarks.scaling --presets base big

The training step of `fit` is compiled for JAX's virtual CPU devices, from shapes alone:
it is not run, and no weight is made. For each number of devices a process of its own.
Prints a table: bytes on one device, and bytes it sends in one step, found in the
compiled program; in brackets, divided by what the formula says.
"""

import argparse
import contextlib
import dataclasses
import json
import math
import os
import re
import subprocess
import sys

from benchmarks import formulas
from benchmarks.paired import ROOT, heading
from keras_transformer.config import PRESETS, TrainingConfig, TransformerConfig, preset

VOCABULARY = 32_000
ROWS, LENGTH = 768, 32  # 24,576 target tokens, about the paper's 25,000
WIDTHS = {
    "pred": 1,
    "s8": 1,
    "u8": 1,
    "bf16": 2,
    "f16": 2,
    "f32": 4,
    "s32": 4,
    "u32": 4,
    "f64": 8,
    "s64": 8,
    "u64": 8,
}
KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"


def sent(kind, size, group):
    """Bytes that each of a ring of devices sends for a collective whose result has `size` bytes."""
    if kind == "collective-permute":
        return size
    return (
        {"all-reduce": 2, "reduce-scatter": group}.get(kind, 1)
        * size
        * (group - 1)
        / group
    )


def group_size(line, devices):
    """How many devices take part together, of the three ways in which XLA writes it."""
    if found := re.search(r"replica_groups=\[\d+,(\d+)\]", line):
        return int(found[1])
    if found := re.search(r"replica_groups=mesh\[(.*?)\].*? \{(.*?)\}", line):
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", found[1]))
        return math.prod(int(sizes[axis]) for axis in re.findall(r"'(\w+)'", found[2]))
    if found := re.search(r"replica_groups=\{\{([\d,]+)\}", line):
        return found[1].count(",") + 1
    return devices


def collectives(program, devices):
    """Of a compiled program's text, by kind: bytes of all results, and bytes that each device sends."""
    totals = {}
    for line in program.splitlines():
        found = re.search(rf"= (.*?) ({KINDS})(?:-start)?\(", line)
        if found is None:
            continue
        shapes = re.findall(r"(\w+)\[([\d,]*)\]", found[1])
        size = sum(
            WIDTHS[kind] * math.prod(int(n) for n in shape.split(",") if n)
            for kind, shape in shapes
        )
        results, out = totals.get(found[2], (0, 0))
        totals[found[2]] = (
            results + size,
            out + sent(found[2], size, group_size(line, devices)),
        )
    return totals


@contextlib.contextmanager
def shapes_only():
    """Variables made in here have a shape and a sharding, and no value: eight copies of `big` need no memory."""
    import jax
    import keras

    own = keras.Variable._initialize_with_initializer

    def initialize(variable, initializer):
        if math.prod(variable.shape) < 16:  # counters and seeds
            return own(variable, initializer)
        variable._initialize_layout()
        sharding = variable._layout and variable._layout.backend_layout
        variable._value = jax.ShapeDtypeStruct(
            variable.shape, variable.dtype, sharding=sharding
        )

    keras.Variable._initialize_with_initializer = initialize
    try:
        yield
    finally:
        keras.Variable._initialize_with_initializer = own


def compiled_step(config, rows, length, distribution):
    """XLA's program of the step that `fit` runs on a batch of that shape."""
    import jax
    import keras
    import numpy as np

    from keras_transformer.models.transformer import Transformer
    from keras_transformer.training.recipe import compile_for_training

    with distribution.scope(), shapes_only():
        model = compile_for_training(Transformer(config), TrainingConfig())
        model.optimizer.build(model.trainable_variables)
        one = np.zeros((1, 1), "float32")
        model.compute_metrics(
            None, one, np.zeros((1, 1, config.target_vocab_size), "float32"), one
        )
        engine = keras.distribution.distribution()

        def batch_of(dtype):
            sharding = engine and engine.get_data_layout((rows, length)).backend_layout
            return jax.ShapeDtypeStruct((rows, length), dtype, sharding=sharding)

        ids = batch_of("int32")
        batch = {"source_ids": ids, "target_ids": ids}, ids, batch_of("float32")
        groups = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
        )
        state = tuple(
            [variable.value for variable in group]
            for group in (*groups, model.metrics_variables)
        )
        shardings = engine and (None, jax.tree.map(lambda value: value.sharding, state))
        # As Keras's own `make_train_function`.
        return (
            jax.jit(model.train_step, donate_argnums=0, out_shardings=shardings)
            .lower(state, batch)
            .compile()
        )


def measure(config, rows, length, how, model_devices=None):
    """The figures of one compiled step, beside those of the formulas."""
    import jax

    from keras_transformer.distribution.distribute import distribute

    devices = 1 if how == "none" else jax.device_count()
    shared = (model_devices or devices) if how == "model" else 1
    program = compiled_step(config, rows, length, distribute(how, model_devices))
    memory, tokens, sizes = program.memory_analysis(), rows * length, (devices, shared)
    found = collectives(program.as_text(), devices)
    return {
        "how": f"{devices // shared} x {shared}",
        "parameters": config.parameters,
        "state": memory.argument_size_in_bytes,
        "state_formula": formulas.state_bytes(config, tokens, *sizes),
        "temporary": memory.temp_size_in_bytes,
        "temporary_formula": formulas.temporary_bytes(config, tokens, length, *sizes),
        "results": {kind: size for kind, (size, _) in found.items()},
        "sent": sum(out for _, out in found.values()),
        "sent_formula": formulas.sent_bytes(config, tokens, *sizes),
        "sent_summed": formulas.sent_bytes(config, tokens, *sizes, summed=True),
    }


def in_process(devices, cases):
    """`measure` of each case, a dictionary of its arguments, in one new process with that many virtual devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = dict(
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
        XLA_FLAGS=flags,
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    command = [sys.executable, "-m", "benchmarks.scaling", "--cases", json.dumps(cases)]
    options = dict(
        cwd=ROOT, env={**os.environ, **environment}, text=True, stderr=subprocess.PIPE
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
    output, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{devices} devices:\n{errors[-3000:]}")
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def cases(devices, size):
    """What is compared on that many devices: both engines, and on eight their product."""
    config = preset(size, source_vocab_size=VOCABULARY, target_vocab_size=VOCABULARY)
    common = dict(config=dataclasses.asdict(config), rows=ROWS, length=LENGTH)
    hows = [("none", None)] if devices == 1 else [("data", None), ("model", None)]
    hows += [("model", 4)] if devices == 8 else []
    return [
        dict(common, how=how, model_devices=model_devices)
        for how, model_devices in hows
    ]


def row(size, answer):
    def cell(name):
        ratio = (
            answer[name] / answer[f"{name}_formula"]
            if answer[f"{name}_formula"]
            else 1.0
        )
        return f"{answer[name] / 1e6:,.0f} ({ratio:.2f})"

    others = (
        " + ".join(
            f"{size / 1e6:,.0f} {kind}" for kind, size in answer["results"].items()
        )
        or "none"
    )
    cells = [
        size,
        answer["how"],
        f"{answer['parameters'] / 1e6:.1f}",
        cell("state"),
        cell("temporary"),
        cell("sent"),
    ]
    return f"| {' | '.join(cells)} | {answer['sent_summed'] / 1e6:,.0f} | {others} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--presets", nargs="+", default=["base", "big"], choices=PRESETS
    )
    parser.add_argument("--devices", nargs="+", type=int, default=[1, 2, 4, 8])
    parser.add_argument("--cases", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cases:
        for case in json.loads(options.cases):
            print(
                json.dumps(
                    measure(**{**case, "config": TransformerConfig(**case["config"])})
                ),
                flush=True,
            )
        return
    print(heading(["jax"]))
    print(
        f"{ROWS * LENGTH:,} target tokens in sentences of {LENGTH}, {VOCABULARY:,} in the vocabulary; MB (ratio)\n"
    )
    print(
        "| preset | data x model | parameters, M | state | temporary | sent | least | results of collectives |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for size in options.presets:
        for devices in options.devices:
            for answer in in_process(devices, cases(devices, size)):
                print(row(size, answer), flush=True)


if __name__ == "__main__":
    main()
