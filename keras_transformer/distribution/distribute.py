"""From what the user wants to the backend's engine."""

import os
import warnings

import keras

from keras_transformer.config import DISTRIBUTIONS
from keras_transformer.distribution.distribution import ONE_DEVICE
from keras_transformer.distribution.launcher import launched


def distribute(how="auto", model_devices=None):
    """Choose on what to train; call it before anything else computes.

        "data"   every device holds the model and takes its share of each batch; gradients are summed
        "model"  groups of devices share one model: attention heads, feed-forward and vocabulary are cut; each group
                 takes its share of each batch (JAX only)
        "auto"   "data" where there are several devices or processes, otherwise one device
        "none"   one device

    The engine is the backend's own: TensorFlow's `MirroredStrategy` or `TPUStrategy`,
    between processes `MultiWorkerMirroredStrategy`; JAX's `keras.distribution`; torch's
    `torch.distributed`, started by torchrun. Several processes are found in the
    environment, as their launcher leaves it: `TF_CONFIG`, `KERAS_DISTRIBUTION_*`,
    torchrun's or Slurm's.

    With the same batches the updates are those of one device, whatever the numbers of
    real tokens on each: a batch's weights are shares of the global batch, and the
    gradient is clipped after it is summed.

    Args:
        how: one of the above.
        model_devices: with "model", how many devices share one model; all of this
            process when absent.

    Returns:
        a `Distribution`: make and compile the model in its `scope()`, then call its
        `prepare(model)`; `TokenBatches` take its `shard`. `train` does all of this with
        its argument `distribution`.

    Raises:
        ValueError: if how is unknown, the backend has no engine for it, there are fewer
            devices than it needs, or model_devices does not divide them.

    Example:
        >>> distribute("none").processes
        1

    Source: Vaswani et al. 2017, section 5.2 (data parallelism); Shoeybi et al. 2019,
    arXiv 1909.08053 ("model").
    """
    if how not in DISTRIBUTIONS:
        raise ValueError(
            f"how must be one of {', '.join(DISTRIBUTIONS)}; received {how!r}"
        )
    if model_devices is not None and (how != "model" or model_devices < 1):
        raise ValueError(
            f"model_devices goes with how='model' and is at least 1; received {model_devices} with {how!r}"
        )
    backend, (_, processes) = keras.backend.backend(), launched()
    # Each would train by itself, all the same run.
    if backend != "torch" and "TORCHELASTIC_RUN_ID" in os.environ:
        raise ValueError(
            f"KERAS_BACKEND must be torch under torchrun; received {backend}"
        )
    if how == "none":
        if processes > 1:
            raise ValueError(
                f"how='none' needs a single process; the launcher started {processes}"
            )
        return ONE_DEVICE
    if how == "model" and backend != "jax":
        raise ValueError(
            f"how='model' needs KERAS_BACKEND=jax; received {backend}, which knows 'data' only"
        )
    if backend == "jax":
        from keras_transformer.distribution.on_jax import OnJax, join

        join()
        if (devices := len(keras.distribution.list_devices())) > 1:
            return OnJax(how, model_devices)
    elif processes > 1:
        return several_processes(backend)
    elif backend == "tensorflow":
        from keras_transformer.distribution.on_tensorflow import Mirrored, local_devices

        if (devices := len(local_devices())) > 1 or "TPU_NAME" in os.environ:
            return Mirrored()
    else:
        devices = alone_on_torch()
    if how == "auto":
        return ONE_DEVICE
    advice = (
        "start it with torchrun"
        if backend == "torch"
        else "one device needs how='none'"
    )
    raise ValueError(
        f"how={how!r} needs several devices or processes; received {devices}: {advice}"
    )


def alone_on_torch():
    """The devices of a process of torch's that torchrun did not start: one, with a warning if there are others."""
    import torch

    if (gpus := torch.cuda.device_count()) > 1:
        warnings.warn(
            f"one of {gpus} GPUs is used: torchrun starts a process for each",
            stacklevel=3,
        )
    return 1


def several_processes(backend):
    """The engine of TensorFlow or torch between processes."""
    if backend == "torch":
        from keras_transformer.distribution.on_torch import TorchProcesses

        return TorchProcesses()
    from keras_transformer.distribution.on_tensorflow import MultiWorker

    return MultiWorker()
