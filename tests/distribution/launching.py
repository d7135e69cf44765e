"""Processes on loopback, with what each backend's launcher tells them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()
PIPES = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def free_ports(count):
    """Numbers of ports that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment(number, addresses):
    """What the backend's launcher tells a process of several."""
    if BACKEND == "tensorflow":
        task = {"type": "worker", "index": number}
        return {
            "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})
        }
    if BACKEND == "jax":
        prefix = "KERAS_DISTRIBUTION_"
        values = dict(NUM_PROCESSES=len(addresses), PROCESS_ID=number)
        values["JOB_ADDRESSES"] = addresses[0]
    else:
        prefix = ""
        values = dict(WORLD_SIZE=len(addresses), RANK=number, LOCAL_RANK=number)
        values["MASTER_ADDR"], values["MASTER_PORT"] = addresses[0].split(":")
    return {prefix + name: str(value) for name, value in values.items()}


def virtual(devices):
    """`XLA_FLAGS` with which JAX takes a processor for so many devices."""
    return f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"


def start(arguments, processes=1, devices=1, **more):
    """Start `python ARGUMENTS` as so many processes.

    JAX takes each one's processor for so many devices.
    """
    common = {
        **os.environ,
        "KERAS_BACKEND": BACKEND,
        "OMP_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUTF8": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
    }
    if devices > 1:
        common["XLA_FLAGS"] = virtual(devices)
    addresses = [f"127.0.0.1:{port}" for port in free_ports(processes)]
    command = [sys.executable, *map(str, arguments)]
    started = []
    for number in range(processes):
        own = environment(number, addresses) if processes > 1 else {}
        started.append(subprocess.Popen(command, env=common | own | more, **PIPES))
    return started


def finish(started, expected=0, seconds=900):
    """Wait for processes; give what each wrote."""
    try:
        written = [process.communicate(timeout=seconds)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    for process, text in zip(started, written):
        assert process.returncode == expected, text
    return written
