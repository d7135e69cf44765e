"""Which process this is of how many, from what a launcher leaves in the environment."""

import json
import os

import keras

# Variables with the number of processes and the number of this one: those of torchrun,
# of `keras.distribution.initialize`, and of Slurm's srun.
TORCHRUN = ("WORLD_SIZE", "RANK")
KERAS = ("KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID")
SLURM = ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
LAUNCHERS = {"torch": (TORCHRUN,), "tensorflow": (SLURM,), "jax": (KERAS, SLURM)}


def launched():
    """The number of this process, and of all; (0, 1) without a launcher.

    The launcher of torch is torchrun; TensorFlow's leaves `TF_CONFIG`, JAX's
    `KERAS_DISTRIBUTION_*`, and both may be started by Slurm.

    Raises:
        ValueError: if the environment contradicts itself.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and "TF_CONFIG" in os.environ:
        where = "TF_CONFIG"
        number, count = from_tf_config(os.environ[where])
    else:
        found = [names for names in LAUNCHERS[backend] if names[0] in os.environ]
        if not found:
            return 0, 1
        where = " and ".join(found[0])
        count, number = map(whole_number, found[0])
    if not 0 <= number < count:
        raise ValueError(
            f"{where} must number the processes from 0; "
            f"received process {number} of {count}"
        )
    return number, count


def take_device():
    """Under torch, use the GPU whose number is that of this process on its host."""
    if keras.backend.backend() == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))


def from_tf_config(text):
    """The number of this process, and of all, as `TF_CONFIG` states them."""
    try:
        config = json.loads(text)
        cluster = config.get("cluster", {})
        task = config.get("task", {"type": "worker", "index": 0})
        chiefs = len(cluster.get("chief", ()))
        processes = chiefs + len(cluster.get("worker", ()))
        number = task["index"]
        if task["type"] == "worker":
            number += chiefs
        unknown = {*cluster, task["type"]} - {"chief", "worker"}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(
            f"TF_CONFIG must be JSON with cluster and task; received {text!r}"
        ) from None
    if unknown:
        raise ValueError(
            "TF_CONFIG must hold chief and worker alone; "
            f"received {', '.join(sorted(unknown))}"
        )
    return number, max(processes, 1)


def whole_number(name):
    """The value of an environment variable that must be a whole number."""
    value = os.environ.get(name)
    if value is None or not value.isdecimal():
        raise ValueError(
            f"the environment's {name} must be a whole number; received {value!r}"
        )
    return int(value)
