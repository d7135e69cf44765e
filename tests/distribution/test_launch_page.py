"""The launch page, docs/devices.md: each command in its form for processors, as two processes on loopback."""

import os
import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import small
from distribution.launching import BACKEND, ROOT, free_ports

PAGE = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
COMMANDS = {}
for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL):
    for paragraph in block.strip().split("\n\n"):
        title, *lines = paragraph.splitlines()
        for line in lines:
            COMMANDS.setdefault(re.search(r"KERAS_BACKEND=(\w+)", line)[1], {})[
                title.removeprefix("# ")
            ] = line

KERAS_TRANSFORMER = '#!/bin/sh\nexec {python} ${{PROGRAM:--m keras_transformer}} "$@"\n'
# Starts what follows its options as often as --ntasks says, as Slurm does.
SRUN = """#!{python}
import os, subprocess, sys
words, count = sys.argv[1:], 1
while words[0].startswith("--"):
    option, value, *words = words
    count = int(value) if option == "--ntasks" else count
slurm = dict(JOB_ID="{job}", NTASKS=count, STEP_NUM_TASKS=count, STEP_NUM_NODES=1, STEP_TASKS_PER_NODE=count)
slurm |= dict(STEP_NODELIST="localhost", JOB_NODELIST="localhost", D_NODENAME="localhost")
def start(number):
    own = dict(slurm, PROCID=number, LOCALID=number)
    own = {{"SLURM" + "_" * (name != "D_NODENAME") + name: str(value) for name, value in own.items()}}
    return subprocess.Popen(words, env=os.environ | own)
started = [start(number) for number in range(count)]
sys.exit(max(process.wait() for process in started))
"""
# Runs the last word on each of two hosts, by their names.
GCLOUD = """#!{python}
import os, subprocess, sys
def start(number):
    there = {{name: value for name, value in os.environ.items() if name != "HEAD"}}  # what the other machine knows
    return subprocess.Popen(["bash", "-c", sys.argv[-1]], env=there | {{"HOSTNAME": f"t1v-n-0-w-{{number}}"}})
started = [start(number) for number in range(2)]
sys.exit(max(process.wait() for process in started))
"""
PIPES = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A shell in which the page's commands are there; what `...` stands for."""
    source, target, *_ = small.write_corpus(tmp_path / "corpus", train=100)
    job = os.getpid() % 4096  # JAX and we make a port of it, another for each job
    (tmp_path / "bin").mkdir()
    for name, text in (
        ("keras-transformer", KERAS_TRANSFORMER),
        ("srun", SRUN),
        ("gcloud", GCLOUD),
    ):
        path = tmp_path / "bin" / name
        path.write_text(text.format(python=sys.executable, job=job))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    folders = [
        str(tmp_path / "bin"),
        str(Path(sys.executable).parent),
        os.environ["PATH"],
    ]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HEAD", "127.0.0.1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return shlex.join(
        [
            "--source",
            str(source),
            "--target",
            str(target),
            *small.FLAGS,
            "--max-updates",
            "2",
        ]
    )


def test_the_page_has_every_place_for_every_backend():
    places = ["One machine", "Slurm", "Kubernetes"]
    for backend, more in (
        ("tensorflow", ["Cloud TPU VM"]),
        ("jax", ["Cloud TPU VM"] * 2),
        ("torch", []),
    ):
        assert [title.partition(",")[0] for title in COMMANDS[backend]] == places + more


@pytest.mark.parametrize("title", COMMANDS[BACKEND])
def test_command(title, machine, tmp_path, monkeypatch):
    command = re.sub(r"run-\d\.run", "127.0.0.1", COMMANDS[BACKEND][title])
    for port in {
        *re.findall(r":(\d{4,5})\b", command),
        *re.findall(r"--master-port (\d+)", command),
    }:
        command = command.replace(port, str(free_ports(1)[0]))
    hosts = 2 if "JOB_COMPLETION_INDEX" in command else 1
    command = command.replace("TPU_NAME=local ", "")
    # Two devices, not two processors.
    if title.startswith("One machine") or title.endswith("one host"):
        monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
        monkeypatch.setenv(
            "PROGRAM",
            str(Path(__file__).parent / "on_logical_devices.py")
            * (BACKEND == "tensorflow"),
        )
    command = ["bash", "-c", command.replace("...", machine)]
    started = [
        subprocess.Popen(
            command, env=os.environ | {"JOB_COMPLETION_INDEX": str(index)}, **PIPES
        )
        for index in range(hosts)
    ]
    try:
        written = [process.communicate(timeout=200)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert not any(process.returncode for process in started), "\n".join(written)
    assert "".join(written).count("The run is in RUN") == 1  # process 0 says so
    assert (tmp_path / "RUN" / "model.keras").exists()
