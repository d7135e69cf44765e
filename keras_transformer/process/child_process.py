"""A Python program in a process of its own, under a backend of its own."""

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

PACKAGE_PARENT = str(Path(__file__).parents[2])  # installed or not
ERROR = re.compile(r"^[\w.]*(?:Error|Exception|Interrupt)\b.*", re.MULTILINE)


def run_under_tensorflow(*arguments, task):
    """What a Python program prints under TensorFlow, on the processor."""
    environment = dict(KERAS_BACKEND="tensorflow", CUDA_VISIBLE_DEVICES="-1")
    return run_in_child("TensorFlow", *arguments, task=task, environment=environment)


def run_in_child(who, *arguments, task, environment):
    """What a Python program prints in a process of its own, which ends with ours.

    Args:
        who: whose work it is, for an error.
        *arguments: the program, as the command `python` takes it.
        task: what it is to do, as JSON can hold it: its last argument.
        environment: variables that are set there, beside ours.

    Raises:
        ValueError: if it fails; the message is its last error.
    """
    paths = [PACKAGE_PARENT, os.environ.get("PYTHONPATH")]
    own = dict(environment, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    command = [sys.executable, "-P", *arguments, json.dumps(task)]
    # Nothing is written to it; it ends when we do.
    lifeline, our_end = os.pipe()
    try:
        done = subprocess.run(
            command,
            env=os.environ | own,
            stdin=lifeline,
            capture_output=True,
        )
    finally:
        os.close(lifeline)
        os.close(our_end)
    if done.returncode:
        errors = done.stderr.decode("utf-8", "replace").strip()
        said = ERROR.findall(errors) or errors.splitlines() or ["nothing"]
        raise ValueError(f"{who} failed: {said[-1]} (status {done.returncode})")
    return done.stdout


def given_task():
    """The child's side: the task. This process now ends when its parent is gone."""

    def watch():
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    return json.loads(sys.argv[-1])
