"""TensorFlow in a process of its own, whatever backend this one has."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

PACKAGE_PARENT = str(Path(__file__).parents[2])  # installed or not


def run_process(arguments, lines):
    """The answers, one a line of JSON, of a Python process under TensorFlow, on the processor, that gets such lines.

    Raises:
        ValueError: if it fails; the message is its last error.
    """
    paths = filter(None, (PACKAGE_PARENT, os.environ.get("PYTHONPATH")))
    chosen = {
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    environment = {
        **os.environ,
        **chosen,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUTF8": "1",
    }
    pipes = dict(
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", *arguments], env=environment, stderr=errors, **pipes
        )
        try:
            answers = exchange(process, lines)
        except BaseException:  # Ctrl-C
            process.kill()
            process.wait()
            raise
        if process.wait():
            errors.seek(0)
            raise ValueError(
                f"TensorFlow failed: {reason(process.returncode, errors.read())}"
            )
    return answers


def exchange(process, lines):
    """One answer for each line. The process's input stays open till then: by its end it knows that we are gone."""
    answers = []
    try:
        for line in lines:
            process.stdin.write(json.dumps(line) + "\n")
            process.stdin.flush()
            answers.append(
                next(
                    json.loads(found)
                    for found in process.stdout
                    if found.startswith("{")
                )
            )
        process.stdin.close()
    except (
        BrokenPipeError,
        StopIteration,
    ):  # it ended before: its exit status says why
        process.wait()
    return answers


def reason(status, errors):
    """What a failed process said of it: the last line that names an error."""
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    named = [
        line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)
    ]
    return (named or lines[-1:] or ["without a word"])[-1] + (
        f" (killed by signal {-status})" if status < 0 else ""
    )


@contextlib.contextmanager
def task():
    """The child's side: give what it is to do, answer when that is done, and end if the parent is gone before."""
    given, finished = json.loads(sys.stdin.readline()), threading.Event()

    def watch():
        while os.read(0, 1):
            pass
        os._exit(0 if finished.is_set() else 1)

    threading.Thread(target=watch, daemon=True).start()
    yield given
    finished.set()
    print("{}", flush=True)
