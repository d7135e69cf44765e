"""What one training step needs on several devices, beside the formulas for it.

    python -m benchmarks.scaling --presets base big

The training step of `fit` is compiled for JAX's virtual CPU devices, from shapes alone:
it is not run, and no weight is made. For each number of devices a process of its own.
Prints a table: bytes on one device, and bytes it sends in one step, found in the
compiled program; in brackets, divided by what the formula says.
"""

import argparse
import collections
import dataclasses
import json
import os
import subprocess
import sys

from benchmarks import formulas
from benchmarks.paired import ROOT, heading
from keras_transformer.config import PRESETS, TrainingConfig, TransformerConfig, preset
from keras_transformer.distribution.program import collectives

VOCABULARY = 32_000
ROWS = 768
LENGTH = 32  # 24,576 target tokens in all, about the paper's 25,000


def measure(config, rows, length, how, model_devices=None):
    """The figures of one compiled step, beside those of the formulas."""
    import jax

    from keras_transformer.distribution.distribute import distribute
    from keras_transformer.distribution.training_step import lowered_step

    devices = 1 if how == "none" else jax.device_count()
    shared = (model_devices or devices) if how == "model" else 1
    distribution = distribute(how, model_devices)
    shape = (rows, length)
    step, _ = lowered_step(config, TrainingConfig(), distribution, *shape)
    program = step.compile()
    memory = program.memory_analysis()
    tokens = rows * length
    sizes = (devices, shared)
    found = collectives(program.as_text(), devices)
    results = collections.Counter()
    for one in found:
        results[one.kind] += one.result_bytes
    return {
        "how": f"{devices // shared} x {shared}",
        "parameters": config.parameters,
        "state": memory.argument_size_in_bytes,
        "state_formula": formulas.state_bytes(config, tokens, *sizes),
        "temporary": memory.temp_size_in_bytes,
        "temporary_formula": formulas.temporary_bytes(config, tokens, length, *sizes),
        "results": results,
        "sent": sum(one.sent_bytes for one in found),
        "sent_formula": formulas.sent_bytes(config, tokens, *sizes),
        "sent_summed": formulas.sent_bytes(config, tokens, *sizes, summed=True),
    }


def in_process(devices, cases):
    """`measure` of each case in one new process with that many virtual devices.

    A case is a dictionary of the arguments.
    """
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
    """What is compared on so many devices: both engines, on eight their product."""
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
        formula = answer[f"{name}_formula"]
        ratio = answer[name] / formula if formula else 1.0
        return f"{answer[name] / 1e6:,.0f} ({ratio:.2f})"

    results = [f"{size / 1e6:,.0f} {kind}" for kind, size in answer["results"].items()]
    others = " + ".join(results) or "none"
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
            case["config"] = TransformerConfig(**case["config"])
            print(json.dumps(measure(**case)), flush=True)
        return
    print(heading(["jax"]))
    print(
        f"{ROWS * LENGTH:,} target tokens in sentences of {LENGTH}, "
        f"{VOCABULARY:,} in the vocabulary; MB (ratio)\n"
    )
    print(
        "| preset | data x model | parameters, M | state | temporary | sent | least "
        "| results of collectives |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for size in options.presets:
        for devices in options.devices:
            for answer in in_process(devices, cases(devices, size)):
                print(row(size, answer), flush=True)


if __name__ == "__main__":
    main()
