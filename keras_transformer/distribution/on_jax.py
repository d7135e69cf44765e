"""JAX: the compiler cuts one program for all devices, of this host and of others."""

import contextlib
import functools
import os
import random

import jax
import numpy as np
from jax.experimental.multihost_utils import broadcast_one_to_all, process_allgather
from keras import distribution, utils

from ..config import expect
from .distribution import Distribution, assign
from .launcher import ADDRESSES, KERAS, launched

# Which axis of a weight is cut over the devices that share a model, by its path
# (Shoeybi et al. 2019): between two cut products nothing has to be exchanged.
AXES = {
    ".*(query|key|value|expand|gate)/kernel": (None, "model"),
    ".*((query|key|value|expand|gate)/|output_)bias": ("model",),
    ".*(attention/output|contract)/kernel": ("model", None),
    ".*embeddings": ("model", None),
    ".*output_projection/kernel": (None, "model"),
}
# The sizes of a `TransformerConfig` or a `CausalLMConfig` along these axes.
CUT = (
    "num_heads",
    "num_key_value_heads",
    "d_ff",
    "decoder_d_ff",
    "source_vocab_size",
    "target_vocab_size",
    "vocab_size",
)


def engine(how, model_devices):
    """The engine for all devices of all processes; None if there is one device."""
    process, processes = launched()
    if processes > 1 and not jax.distributed.is_initialized():
        join(process, processes)
    if jax.device_count() > 1:
        return OnJax(how, model_devices)
    return None


def join(process, processes):
    """Connect to the other processes."""
    # As `keras.distribution.initialize` does. Without an address JAX asks Slurm.
    cluster = ()
    if KERAS[0] in os.environ:
        address = os.environ.get(ADDRESSES, "").split(",")[0]
        expect(address, ADDRESSES, "hold process 0's host:port", address)
        cluster = (address, processes, process)
    # A process that was killed ends the others after 20 seconds; JAX would wait 100. At
    # its end, or after an error, each waits 120 for the others; JAX would wait 300.
    jax.distributed.initialize(
        *cluster,
        local_device_ids=own_gpus(),
        heartbeat_timeout_seconds=20,
        shutdown_timeout_seconds=120,
    )
    # All must draw the same first weights. After `set_random_seed` this number is the
    # same in all of them, too.
    seed = np.array(random.randrange(2**31), "int32")
    utils.set_random_seed(int(broadcast_one_to_all(seed)))


def own_gpus():
    """The numbers of all GPUs that the environment shows; None, so that JAX chooses."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible:
        return list(range(len(visible.split(","))))
    return None


@functools.lru_cache(maxsize=1)
def copy_of(model):
    """A model of the same config and LoRA, made once for each."""
    copy = type(model).from_config(model.get_config())
    if model.lora_rank:
        copy.enable_lora(model.lora_rank)
    return copy


class OnJax(Distribution):
    """All devices, by Keras's `ModelParallel`; with "data" in groups of one device.

    They are those that are present, or those of a machine that is only described.
    """

    def __init__(self, how, model_devices, devices=None):
        devices = devices or jax.devices()
        self.process = jax.process_index()
        self.processes = len({device.process_index for device in devices})
        here = len(devices) // self.processes
        shared = (model_devices or here) if how == "model" else 1
        expectation = f"divide the {here} devices of a process"
        expect(here % shared == 0, "model_devices", expectation, shared)
        self.model_devices = shared
        self.devices = here // shared
        shape = (self.processes * self.devices, shared)
        mesh = distribution.DeviceMesh(shape, ("data", "model"), devices)
        layout = distribution.LayoutMap(mesh)
        if how == "model":
            layout.update(AXES)
        self.engine = distribution.ModelParallel(
            layout_map=layout,
            batch_dim_name="data",
            auto_shard_dataset=False,  # TokenBatches gives each process its rows
        )

    def check(self, model, training):
        parts = self.model_devices
        expectation = f"be a multiple of {parts}, the devices that share a model"
        for name in CUT:
            size = getattr(model, name, None) or 0
            expect(size % parts == 0, name, expectation, size)

    def scope(self):
        return self.engine.scope()

    def sum(self, array):
        found = np.asarray(process_allgather(array))
        return found.reshape(-1, *np.shape(array)).sum(axis=0)

    def arrays(self, variables):
        values = [variable.value for variable in variables]
        if self.processes > 1:
            values = process_allgather(values, tiled=True)
        return [np.asarray(value) for value in values]

    @contextlib.contextmanager
    def local(self, model):
        if self.processes == 1:
            yield model
            return
        arrays = self.arrays(model.variables)
        before = distribution.distribution()
        distribution.set_distribution(None)
        try:
            copy = copy_of(model)
            assign(copy.variables, arrays)
            yield copy
        finally:
            distribution.set_distribution(before)
