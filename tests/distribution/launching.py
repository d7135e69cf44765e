"""Processes on loopback, with what each backend's launcher leaves in the environment."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras

ROOT = Path(__file__).parents[2]
BACKEND = keras.backend.backend()


def free_ports(count):
    """Numbers of ports that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environments(processes):
    """What the backend's launcher tells each of several processes; nothing to one."""
    if processes == 1:
        return [{}]
    addresses = [f"127.0.0.1:{port}" for port in free_ports(processes)]
    host, port = addresses[0].split(":")
    found = []
    for number in range(processes):
        config = {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": number},
        }
        found.append(
            {
                "tensorflow": {"TF_CONFIG": json.dumps(config)},
                "jax": {
                    "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses[0],
                    "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
                    "KERAS_DISTRIBUTION_PROCESS_ID": str(number),
                },
                "torch": {
                    "WORLD_SIZE": str(processes),
                    "RANK": str(number),
                    "LOCAL_RANK": str(number),
                    "MASTER_ADDR": host,
                    "MASTER_PORT": port,
                },
            }[BACKEND]
        )
    return found


def start(arguments, processes=1, devices=1, **more):
    """Start `python ARGUMENTS` as so many processes, each with so many processors that JAX takes for devices."""
    own = {
        "KERAS_BACKEND": BACKEND,
        "OMP_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUTF8": "1",
    }
    own |= {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    own |= (
        {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
        if devices > 1
        else {}
    )
    command = [sys.executable, *map(str, arguments)]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return [
        subprocess.Popen(
            command, env={**os.environ, **own, **environment, **more}, **pipes
        )
        for environment in environments(processes)
    ]


def finish(started, expected=0, seconds=240):
    """Wait for processes; give what each wrote."""
    try:
        written = [process.communicate(timeout=seconds)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    for process, text in zip(started, written):
        assert process.returncode == expected, text
    return written
