"""TensorFlow: one process for a host, or between hosts a process for each device."""

import json
import os

import numpy as np
import tensorflow as tf

from ..config import expect
from .distribution import (
    Distribution,
    Processes,
    offset_seed,
    seeds,
    transform_gradients,
)
from .launcher import SLURM, launched

resolvers = tf.distribute.cluster_resolver


def engine(how, model_devices):
    """The engine for several processes or devices; None for one device."""
    _, processes = launched()
    if processes > 1:
        return MultiWorker()
    if len(local_devices()) > 1 or "TPU_NAME" in os.environ:
        return Mirrored()
    return None


def local_devices():
    """The names of this host's GPUs; of its logical processors if it has none."""
    found = tf.config.list_logical_devices
    return [device.name for device in found("GPU") or found("CPU")]


class Mirrored(Distribution):
    """All devices of one host, by `MirroredStrategy`.

    If the environment has `TPU_NAME`, those of that TPU, by `TPUStrategy`.
    """

    def __init__(self):
        if "TPU_NAME" in os.environ:
            resolver = resolvers.TPUClusterResolver.connect()
            self.strategy = tf.distribute.TPUStrategy(resolver)
        else:
            self.strategy = tf.distribute.MirroredStrategy(local_devices())
        self.devices = self.strategy.num_replicas_in_sync

    def check(self, model, training):
        where = "where a TensorFlow process has several devices"
        steps = training.gradient_accumulation
        expect(steps == 1, "gradient_accumulation", f"be 1 {where}", steps)
        dtype = training.dtype
        expect(dtype != "mixed_float16", "dtype", f"not be this {where}", dtype)

    def scope(self):
        return self.strategy.scope()

    def prepare(self, model):
        # Keras's optimizers sum the gradients after they clipped each replica's own.
        transform_gradients(model.optimizer, all_reduce)
        # The replicas' dropout must not be the same.
        for variable in seeds(model):
            for number, replica in enumerate(variable.value.values):
                replica.assign(offset_seed(variable, number))
        return model

    def set_metrics(self, model, arrays):
        # A value that is assigned to all replicas at once is divided by their number,
        # and a count may not be a multiple of it.
        for variable, array in zip(model.metrics_variables, arrays, strict=True):
            for number, replica in enumerate(variable.value.values):
                replica.assign(array if number == 0 else np.zeros_like(array))


class MultiWorker(Processes):
    """One device for each process, on any number of hosts.

    `MultiWorkerMirroredStrategy` connects the processes and adds up. Its own scope is
    not entered: Keras 3 cannot `fit` a model in it (issue 20585).
    """

    def __init__(self):
        if SLURM[0] in os.environ and "TF_CONFIG" not in os.environ:
            os.environ["TF_CONFIG"] = slurm()
        self.process, self.processes = launched()
        self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        local = self.strategy.num_replicas_in_sync // self.processes
        expect(local == 1, "CUDA_VISIBLE_DEVICES", "name one GPU a process", local)
        # One trace for all that is summed between steps.
        signature = [[tf.TensorSpec([None], tf.float64)]]
        self.sum_flat = tf.function(self.run, signature, autograph=False)

    def run(self, tensors):
        return self.strategy.run(all_reduce, args=(tensors,))

    def sum_tensors(self, tensors):
        if not tf.executing_eagerly():
            return self.run(tensors)
        sums = []
        for tensor in tensors:
            flat = tf.reshape(tf.cast(tensor, tf.float64), [-1])
            (total,) = self.sum_flat([flat])
            sums.append(tf.cast(tf.reshape(total, tensor.shape), tensor.dtype))
        return sums

    def sum_gradients(self, model):
        transform_gradients(model.optimizer, self.sum_tensors)


def all_reduce(tensors):
    """The sums of tensors over the replicas, in one of which this is called."""
    # A copy lies on the replica's device, where the collective looks; sparse gradients
    # become dense.
    tensors = [tf.identity(tf.convert_to_tensor(tensor)) for tensor in tensors]
    return tf.distribute.get_replica_context().all_reduce("SUM", tensors)


def slurm():
    """A `TF_CONFIG` of the processes that Slurm started."""
    _, processes = launched()
    # Another port for each job, as JAX does it.
    port = 20000 + int(os.environ.get("SLURM_JOB_ID", 0)) % 10000
    found = resolvers.SlurmClusterResolver(
        {"worker": processes},
        port_base=port,
        # Not true, but otherwise it would ask nvidia-smi, which is not everywhere.
        gpus_per_node=processes,
        gpus_per_task=1,
        auto_set_gpu=False,
    )
    cluster = found.cluster_spec().as_dict()
    # It sorts the hosts by their names, and Slurm's numbers may say otherwise.
    port += int(os.environ["SLURM_LOCALID"])
    address = f"{os.environ['SLURMD_NODENAME']}:{port}"
    task = {"type": "worker", "index": cluster["worker"].index(address)}
    return json.dumps({"cluster": cluster, "task": task})
