"""Ctrl-C while a plan compiles, by a compiler that never ends."""

import os
import signal
import subprocess
import sys
import time

import pytest
from distribution.launching import ROOT

COMMAND = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from keras_transformer.distribution import planning
planning.needed = lambda *names, extra: None
planning.PROGRAM = "endless"
from keras_transformer.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
COMPILER = """
import os, pathlib, time
from keras_transformer.process.child_process import given_task
given_task()
pathlib.Path("compiler.txt").write_text(str(os.getpid()))
time.sleep(600)
"""


def has_ended(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(is_so):
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("who", ["the command", "all of the terminal"])
def test_nothing_is_left(tmp_path, who):
    (tmp_path / "endless.py").write_text(COMPILER)
    pid = tmp_path / "compiler.txt"
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    flags = "plan --topology v5e:2x4 --preset tiny --json plan.json".split()
    command = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *flags],
        cwd=tmp_path,
        env=os.environ | dict(PYTHONPATH=paths),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: pid.exists() and pid.read_text())
    send = os.kill if who == "the command" else os.killpg
    send(command.pid, signal.SIGINT)
    printed, said = command.communicate(timeout=60)
    assert command.returncode == 130 and printed == ""
    assert said.endswith("keras-transformer: interrupted\n")
    wait_until(lambda: has_ended(int(pid.read_text())))
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"endless.py", "compiler.txt"}
