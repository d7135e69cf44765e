"""Which process this is of how many, from what a launcher leaves in the environment."""

import json
import os

import keras

# The number of processes and of this one, as torchrun, `keras.distribution.initialize`
# and Slurm's srun tell them.
TORCHRUN = ("WORLD_SIZE", "RANK")
KERAS = ("KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID")
SLURM = ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID")


def launched():
    """(number of this process, number of processes) as the backend's launcher says; (0, 1) without one.

    torch: torchrun. TensorFlow: `TF_CONFIG`, or Slurm. JAX: `KERAS_DISTRIBUTION_*`, or
        Slurm.

    Raises:
        ValueError: if what the environment says cannot be.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and "TF_CONFIG" in os.environ:
        return tf_config(os.environ["TF_CONFIG"])
    names = {"torch": (TORCHRUN,), "tensorflow": (SLURM,), "jax": (KERAS, SLURM)}[
        backend
    ]
    for count, number in names:
        if count in os.environ:
            return checked(integer(number), integer(count), f"{number} and {count}")
    return 0, 1


def take_device():
    """Under torch, take the GPU of this process's number on its host, if there are any."""
    if keras.backend.backend() == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))


def by_slurm():
    """Whether Slurm started this process and nothing else says what it is one of."""
    return SLURM[0] in os.environ and not {"TF_CONFIG", KERAS[0]} & os.environ.keys()


def tf_config(text):
    """The number of this process and of all, of a `TF_CONFIG` with a chief, if any, and workers."""
    try:
        config = json.loads(text)
        cluster, task = (
            config.get("cluster", {}),
            config.get("task", {"type": "worker", "index": 0}),
        )
        kinds = {
            kind: len(cluster[kind]) for kind in ("chief", "worker") if kind in cluster
        }
        number = task["index"] + (
            kinds.get("chief", 0) if task["type"] == "worker" else 0
        )
        unknown = {*cluster, task["type"]} - {"chief", "worker"}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError(
            f"TF_CONFIG must be JSON with cluster and task; received {text!r}"
        ) from None
    if unknown:
        raise ValueError(
            f"TF_CONFIG must hold chief and worker alone; received {', '.join(sorted(unknown))}"
        )
    return checked(number, sum(kinds.values()) or 1, "TF_CONFIG")


def integer(name):
    """The value of an environment variable that must be a whole number."""
    value = os.environ.get(name)
    if value is None or not value.isdecimal():
        raise ValueError(
            f"the environment's {name} must be a whole number; received {value!r}"
        )
    return int(value)


def checked(number, count, where):
    if not 0 <= number < count:
        raise ValueError(
            f"{where} must number the processes from 0; received process {number} of {count}"
        )
    return number, count
