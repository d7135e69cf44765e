"""Contenders in processes of their own that take turns.

What slows the machine down for a while slows all of them.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from keras_transformer.cli.startup import keep_freed_memory

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"marian": "transformers"}  # of what is not called as its package is


class Contender:
    """A child process that works once for every line it reads, and answers in JSON.

    Args:
        name: of the contender.
        module: the benchmark; it is run as `python -m benchmarks.MODULE --contender
            NAME ARGUMENTS`.
        arguments: the rest of its command line.
        backend: Keras's backend; the one of that name when absent, torch for
            `"marian"`.
    """

    def __init__(self, name, module, arguments, backend=None):
        self.name = name
        self.errors = tempfile.TemporaryFile("w+")
        backend = backend or ("torch" if name == "marian" else name)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"benchmarks.{module}",
                "--contender",
                name,
                *arguments,
            ],
            cwd=ROOT,
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def turn(self):
        """The answer to one turn, once it is done."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self.errors.seek(0)
        raise RuntimeError(f"{self.name} ended:\n{self.errors.read()[-3000:]}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def serve(work):
    """The child's side: `work()` gives a dictionary, once for every line.

    The allocator of our command serves Marian too.
    """
    keep_freed_memory()
    for _ in sys.stdin:
        print(json.dumps(work()), flush=True)


def take_turns(contenders, rounds):
    """The answers of all turns by name; the first, which compiles, does not count."""
    answers = {contender.name: [contender.turn()] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            answers[contender.name].append(contender.turn())
    for contender in contenders:
        contender.close()
    return answers


def cpu():
    """The processor's name."""
    found = [
        line.split(":")[1].strip()
        for line in open("/proc/cpuinfo")
        if line.startswith("model name")
    ]
    return f"{found[0]}, {len(found)} cores" if found else platform.processor()


def heading(names):
    """The command, the versions and the processor, for above a table."""
    versions = ", ".join(
        f"{package} {version(package)}"
        for package in (PACKAGES.get(name, name) for name in names)
    )
    module = Path(sys.argv[0]).stem
    command = f"`python -m benchmarks.{module} {' '.join(sys.argv[1:])}`"
    return f"{command}\nkeras {version('keras')}, {versions}; {cpu()}\n"
