"""The launch page, docs/devices.md: each command, with processors for GPUs.

Two processes on loopback stand for hosts.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import small
from distribution.launching import BACKEND, PIPES, ROOT, finish, free_ports, virtual

PAGE = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8")
COMMANDS = {}
for block in re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL):
    for paragraph in block.strip().split("\n\n"):
        title, *lines = paragraph.removeprefix("# ").splitlines()
        for line in lines:
            backend = re.search(r"KERAS_BACKEND=(\w+)", line)[1]
            COMMANDS.setdefault(backend, {})[title] = line

# What stands in the page's commands, as programs of these names.
PROGRAMS = {
    "keras-transformer": """#!/bin/sh
exec {python} ${{PROGRAM:--m keras_transformer}} "$@"
""",
    # Starts what follows its options as often as --ntasks says, as Slurm does.
    "srun": """#!{python}
import os, subprocess, sys
words, count = sys.argv[1:], 1
while words[0].startswith("--"):
    option, value, *words = words
    count = int(value) if option == "--ntasks" else count
slurm = dict.fromkeys(["NTASKS", "STEP_NUM_TASKS", "STEP_TASKS_PER_NODE"], count)
slurm |= dict.fromkeys(["STEP_NODELIST", "JOB_NODELIST"], "localhost")
slurm |= dict(JOB_ID="{job}", STEP_NUM_NODES=1)
started = []
for number in range(count):
    own = dict(slurm, PROCID=number, LOCALID=number)
    own = {{"SLURM_" + name: str(value) for name, value in own.items()}}
    own["SLURMD_NODENAME"] = "localhost"
    started.append(subprocess.Popen(words, env=os.environ | own))
sys.exit(max(process.wait() for process in started))
""",
    # Runs the last word on each of two hosts, which know their names but not $HEAD.
    "gcloud": """#!{python}
import os, subprocess, sys
del os.environ["HEAD"]
started = []
for number in range(2):
    there = os.environ | {{"HOSTNAME": f"t1v-n-0-w-{{number}}"}}
    started.append(subprocess.Popen(["bash", "-c", sys.argv[-1]], env=there))
sys.exit(max(process.wait() for process in started))
""",
}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A shell in which the page's commands are there; what `...` stands for."""
    source, target, *_ = small.write_corpus(tmp_path / "corpus", train=100)
    job = os.getpid() % 4096  # JAX and we make a port of it, another for each job
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text.format(python=sys.executable, job=job))
        (folder / name).chmod(0o755)
    folders = [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("HEAD", "127.0.0.1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    files = ["--source", str(source), "--target", str(target)]
    return shlex.join([*files, *small.FLAGS, "--max-updates", "2"])


def test_the_page_has_every_place_for_every_backend():
    places = ["One machine", "Slurm", "Kubernetes"]
    tpus = {"tensorflow": 1, "jax": 2, "torch": 0}
    for backend, count in tpus.items():
        found = [title.partition(",")[0] for title in COMMANDS[backend]]
        assert found == places + ["Cloud TPU VM"] * count


# What they leave in the environment, `test_engines` leaves too.
@pytest.mark.slow
@pytest.mark.parametrize("title", COMMANDS[BACKEND])
def test_command(title, machine, tmp_path, monkeypatch):
    command = re.sub(r"run-\d\.run", "127.0.0.1", COMMANDS[BACKEND][title])
    for port in {*re.findall(r"(?::|--master-port )(\d{4,5})\b", command)}:
        command = command.replace(port, str(free_ports(1)[0]))
    command = command.replace("TPU_NAME=local ", "").replace("...", machine)
    # Two devices, not two processors.
    if title.startswith("One machine") or title.endswith("one host"):
        monkeypatch.setenv("XLA_FLAGS", virtual(2))
        if BACKEND == "tensorflow":
            program = Path(__file__).parent / "on_logical_devices.py"
            monkeypatch.setenv("PROGRAM", str(program))
    hosts = 2 if "JOB_COMPLETION_INDEX" in command else 1
    started = []
    for index in range(hosts):
        own = os.environ | {"JOB_COMPLETION_INDEX": str(index)}
        started.append(subprocess.Popen(["bash", "-c", command], env=own, **PIPES))
    written = finish(started)
    assert "".join(written).count("The run is in RUN") == 1  # process 0 says so
    assert (tmp_path / "RUN" / "model.keras").exists()
