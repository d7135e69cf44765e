"""Which process this is of how many, from what a launcher leaves in the environment."""

import json
import os

import keras

from ..config import expect

# Variables with the number of processes and the number of this one: of
# `keras.distribution.initialize`, of Slurm's srun, of torchrun.
KERAS = ("KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID")
SLURM = ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
TORCHRUN = ("WORLD_SIZE", "RANK")
# Where process 0 is, of `keras.distribution.initialize`.
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
# Of each backend, with the names by which a launcher is known: where one of them stands
# alone, something was forgotten. SLURM_PROCID is in a batch script, too.
LAUNCHERS = {
    "torch": {TORCHRUN: TORCHRUN},
    "tensorflow": {SLURM: SLURM[:1]},
    "jax": {KERAS: (*KERAS, ADDRESSES), SLURM: SLURM[:1]},
}


def launched():
    """The number of this process, and of all; (0, 1) without a launcher.

    The launcher of torch is torchrun; TensorFlow's leaves `TF_CONFIG`, JAX's
    `KERAS_DISTRIBUTION_*`, and both may be started by Slurm.

    Raises:
        ValueError: if what the launcher leaves is incomplete, or Slurm has started
            several processes of torch.
    """
    backend = keras.backend.backend()
    number = 0
    count = 1
    found = []
    for names, signs in LAUNCHERS[backend].items():
        if any(sign in os.environ for sign in signs):
            found.append(names)
    if backend == "tensorflow" and "TF_CONFIG" in os.environ:
        number, count = from_tf_config(os.environ["TF_CONFIG"])
    elif found:
        count, number = map(whole_number, found[0])
    elif backend == "torch" and SLURM[0] in os.environ:
        # Each process would train by itself, all of them the same run.
        tasks = whole_number(SLURM[0])
        expect(tasks == 1, SLURM[0], "be 1 without torchrun", tasks)
    expectation = "number the processes from 0"
    received = f"process {number} of {count}"
    expect(0 <= number < count, "the launcher", expectation, received)
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
        unknown = {*cluster, task["type"]} - {"chief", "worker"}
        chiefs = len(cluster.get("chief", ()))
        count = chiefs + len(cluster.get("worker", ()))
        number = int(str(task["index"]))  # TensorFlow takes "0", too
        if task["type"] == "worker":
            number += chiefs
    except (ValueError, TypeError, KeyError, AttributeError):
        message = f"TF_CONFIG must be JSON with cluster and task; received {text!r}"
        raise ValueError(message) from None
    expect(not unknown, "TF_CONFIG", "hold chief and worker alone", unknown)
    for addresses in cluster.values():
        is_list = isinstance(addresses, list)
        expect(is_list, "TF_CONFIG", "hold a list of addresses of each", addresses)
    return number, max(count, 1)


def whole_number(name):
    """The value of an environment variable that must be a whole number."""
    value = os.environ.get(name, "")
    expect(value.isdecimal(), name, "be a whole number in the environment", value)
    return int(value)
