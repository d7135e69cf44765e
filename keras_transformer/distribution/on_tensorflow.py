"""TensorFlow: mirrored variables on one host's devices; between hosts, one process for each device."""

import os

import numpy as np
import tensorflow as tf

from keras_transformer.distribution.distribution import Distribution, before_apply
from keras_transformer.distribution.launcher import by_slurm, launched
from keras_transformer.distribution.processes import Processes, offset_seed, seeds


def local_devices():
    """The names of this host's GPUs; of its logical processors if it has none."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices(
        "CPU"
    )
    return [device.name for device in devices]


class Mirrored(Distribution):
    """All devices of one host, by `MirroredStrategy`; those of a TPU that `TPU_NAME` names, by `TPUStrategy`."""

    def __init__(self):
        self.strategy = (
            tpu_strategy()
            if "TPU_NAME" in os.environ
            else tf.distribute.MirroredStrategy(local_devices())
        )
        self.devices = self.strategy.num_replicas_in_sync

    def __str__(self):
        return f"{self.devices} devices"

    def check(self, model, training):
        if training.gradient_accumulation > 1:
            raise ValueError(
                "gradient_accumulation must be 1 with TensorFlow's strategies of one host; received "
                f"{training.gradient_accumulation}: raise batch_tokens instead, or start one process for each device"
            )
        if training.dtype == "mixed_float16":
            raise ValueError(
                "dtype must not be 'mixed_float16' with TensorFlow's strategies of one host: take 'mixed_bfloat16', "
                "or start one process for each device"
            )

    def scope(self):
        return self.strategy.scope()

    def prepare(self, model):
        # Keras's optimizers sum the gradients after they clipped each replica's own.
        before_apply(model.optimizer, all_reduce)
        model.optimizer._all_reduce_sum_gradients = list
        for variable in seeds(model):  # the replicas' dropout must not be the same
            for number, replica in enumerate(variable.value.values):
                replica.assign(offset_seed(variable, number))
        return model

    def set_metrics(self, model, arrays):
        # What is assigned to all of them at once is divided by their number, and a
        # count may not be a multiple of it.
        for variable, array in zip(model.metrics_variables, arrays, strict=True):
            first, *others = variable.value.values
            first.assign(array)
            for replica in others:
                replica.assign(np.zeros_like(array))


class MultiWorker(Processes):
    """One device each, on any number of hosts. `MultiWorkerMirroredStrategy` connects them and adds up.

    Its own scope is not entered: Keras 3 cannot `fit` a model in it (issue 20585).

    Raises:
        ValueError: if a process sees several GPUs.
    """

    def __init__(self):
        self.process, self.processes = launched()
        resolver = by_slurm() and slurm(self.processes)
        if resolver:
            self.process = resolver.task_id
        self.strategy = tf.distribute.MultiWorkerMirroredStrategy(
            cluster_resolver=resolver or None
        )
        # One trace for all that is summed between steps.
        flat = [tf.TensorSpec([None], tf.float64)]
        self.sum_flat = tf.function(
            lambda tensor: self.run(tensor)[0], input_signature=flat, autograph=False
        )
        local = self.strategy.num_replicas_in_sync // self.processes
        if local > 1:
            raise ValueError(
                f"each process must see one GPU; received {local}: start one for each, with CUDA_VISIBLE_DEVICES"
            )

    def run(self, *tensors):
        return self.strategy.run(lambda *tensors: all_reduce(tensors), args=tensors)

    def sum_tensors(self, tensors):
        if not tf.executing_eagerly():
            return self.run(*tensors)
        sums = [
            self.sum_flat(tf.reshape(tf.cast(tensor, tf.float64), [-1]))
            for tensor in tensors
        ]
        return [
            tf.cast(tf.reshape(total, tensor.shape), tensor.dtype)
            for total, tensor in zip(sums, tensors)
        ]

    def sum_gradients(self, model):
        before_apply(model.optimizer, self.sum_tensors)


def all_reduce(tensors):
    """The sums of tensors over the replicas, in one of which this is called."""
    # A copy lies on the replica's device, where the collective looks; sparse gradients
    # become dense.
    tensors = [tf.identity(tf.convert_to_tensor(tensor)) for tensor in tensors]
    return tf.distribute.get_replica_context().all_reduce("SUM", tensors)


def slurm(processes):
    """The addresses of the processes that Slurm started."""
    resolvers = tf.distribute.cluster_resolver
    # Another for each job, as JAX does it.
    port = 20000 + int(os.environ.get("SLURM_JOB_ID", 0)) % 10000
    # Of GPUs we tell it nothing true: it would ask nvidia-smi, which is not everywhere.
    gpus = dict(gpus_per_node=processes, gpus_per_task=1, auto_set_gpu=False)
    found = resolvers.SlurmClusterResolver(
        {"worker": processes}, port_base=port, **gpus
    )
    cluster, (kind, number) = found.cluster_spec(), found.get_task_info()
    # It sorts the hosts by their names, and Slurm's numbers may say otherwise.
    if "SLURMD_NODENAME" in os.environ:
        address = (
            f"{os.environ['SLURMD_NODENAME']}:{port + int(os.environ['SLURM_LOCALID'])}"
        )
        number = cluster.job_tasks("worker").index(address)
    gpus = {"GPU": len(tf.config.list_physical_devices("GPU"))}
    return resolvers.SimpleClusterResolver(
        cluster, task_type=kind, task_id=number, num_accelerators=gpus, rpc_layer="grpc"
    )


def tpu_strategy():
    """The `TPUStrategy` of the TPU that the environment names."""
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)
