"""JAX: the compiler cuts one program for all devices, of this host and of others."""

import contextlib
import os
import random

import jax
import keras
import numpy as np
from jax.experimental import multihost_utils

from keras_transformer.distribution.distribution import Distribution
from keras_transformer.distribution.launcher import KERAS, launched

# Seconds after which a process that was killed ends the others; JAX would wait 100.
HEARTBEAT = 20
# Seconds that a process waits for the others before it ends, after an error too; JAX
# would wait 300.
FAREWELL = 120

# Which axis of a weight is cut over the devices that share a model, by its path
# (Shoeybi et al. 2019): between two cut products nothing has to be exchanged.
AXES = {
    ".*(query|key|value)/kernel": (None, "model"),  # whole heads
    ".*(query|key|value)/bias": ("model",),
    ".*attention/output/kernel": ("model", None),
    ".*expand/kernel": (None, "model"),
    ".*expand/bias": ("model",),
    ".*contract/kernel": ("model", None),
    ".*(embeddings|output_matrix)": ("model", None),  # the vocabulary
    ".*output_bias": ("model",),
}


def join():
    """Connect to the other processes, if a launcher started several."""
    process, processes = launched()
    if processes == 1 or jax.distributed.is_initialized():
        return
    # `keras.distribution.initialize` with another heartbeat; without an address, JAX
    # asks Slurm.
    address, known = os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES"), {}
    if KERAS[0] in os.environ:
        if not address:
            raise ValueError(
                "KERAS_DISTRIBUTION_JOB_ADDRESSES must hold process 0's host:port; received none"
            )
        known = dict(
            coordinator_address=address.split(",")[0],
            num_processes=processes,
            process_id=process,
        )
    limits = dict(
        heartbeat_timeout_seconds=HEARTBEAT, shutdown_timeout_seconds=FAREWELL
    )
    jax.distributed.initialize(**known, local_device_ids=own_gpus(), **limits)
    # All must draw the same first weights. After `set_random_seed` this number is the
    # same in all of them, too.
    seed = multihost_utils.broadcast_one_to_all(
        np.array(random.randrange(2**31), "int32")
    )
    keras.utils.set_random_seed(int(seed))


def own_gpus():
    """The numbers, among the GPUs that this process sees, of those that it is to use: all, if it is told what it sees.

    Otherwise None, for JAX to choose: in a step of Slurm, one by the number of the task
    on its host.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [*range(len(visible.split(",")))] if visible else None


class OnJax(Distribution):
    """All devices of all processes, by `keras.distribution.DataParallel` or `ModelParallel`."""

    def __init__(self, how, model_devices):
        self.process, self.processes = jax.process_index(), jax.process_count()
        here = jax.local_device_count()
        self.model_devices = (model_devices or here) if how == "model" else 1
        if here % self.model_devices:
            raise ValueError(
                f"model_devices must divide the {here} devices of a process; received {model_devices}"
            )
        self.devices = here // self.model_devices
        own = dict(auto_shard_dataset=False)  # TokenBatches gives each process its rows
        if how == "model":
            shape = (self.processes * self.devices, self.model_devices)
            layout = keras.distribution.LayoutMap(
                keras.distribution.DeviceMesh(shape, ("data", "model"))
            )
            for path, axes in AXES.items():
                layout[path] = axes
            self.engine = keras.distribution.ModelParallel(
                layout_map=layout, batch_dim_name="data", **own
            )
        else:
            self.engine = keras.distribution.DataParallel(**own)
        self.copy, self.copied = None, None

    def __str__(self):
        shared = f", {self.model_devices} to a model" if self.model_devices > 1 else ""
        where = "one process" if self.processes == 1 else f"{self.processes} processes"
        return f"{jax.device_count()} devices in {where}{shared}"

    def check(self, model, training):
        for name in (
            "num_heads",
            "d_ff",
            "decoder_d_ff",
            "source_vocab_size",
            "target_vocab_size",
        ):
            if (getattr(model, name) or 0) % self.model_devices:
                raise ValueError(
                    f"{name} must be a multiple of {self.model_devices}, the devices that share a model; received "
                    f"{getattr(model, name)}"
                )

    def scope(self):
        return self.engine.scope()

    def sum(self, array):
        return (
            np.asarray(multihost_utils.process_allgather(np.asarray(array)))
            .reshape(-1, *np.shape(array))
            .sum(0)
        )

    def arrays(self, variables):
        values = [variable.value for variable in variables]
        if self.processes > 1:
            values = multihost_utils.process_allgather(values, tiled=True)
        return [np.asarray(value) for value in values]

    @contextlib.contextmanager
    def undistributed(self):
        if self.processes == 1:
            yield
            return
        engine = keras.distribution.distribution()
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(engine)

    def local(self, model):
        if self.processes == 1:
            return model
        arrays = self.arrays([*model.variables, *model.optimizer.variables])
        with self.undistributed():
            if self.copied is not model:
                self.copy, self.copied = (
                    type(model).from_config(model.get_config()),
                    model,
                )
                self.copy.compile_from_config(model.get_compile_config())
            for variable, array in zip(
                [*self.copy.variables, *self.copy.optimizer.variables],
                arrays,
                strict=True,
            ):
                variable.assign(array)
        return self.copy
