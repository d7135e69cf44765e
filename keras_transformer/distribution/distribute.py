"""From what the user wants to the backend's engine."""

import importlib
import os

import keras

from keras_transformer.config import DISTRIBUTIONS
from keras_transformer.distribution.distribution import ONE_DEVICE
from keras_transformer.distribution.launcher import launched


def distribute(how="auto", model_devices=None):
    """Choose on what to train; call it before anything else computes.

        "data"   every device holds the model and takes its share of each batch; the
                 gradients are summed
        "model"  groups of devices share one model: attention heads, feed-forward and
                 vocabulary are cut; each group takes its share of each batch (JAX only)
        "auto"   "data" where there are several devices or processes, otherwise one
                 device
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
        A `Distribution`: make and compile the model in its `scope()`, then call its
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
            "model_devices goes with how='model' and is at least 1; "
            f"received {model_devices} with {how!r}"
        )
    backend = keras.backend.backend()
    if backend != "torch" and "TORCHELASTIC_RUN_ID" in os.environ:
        # Each process would train by itself, all of them the same run.
        raise ValueError(
            f"KERAS_BACKEND must be torch under torchrun; received {backend}"
        )
    if how == "none":
        _, processes = launched()
        if processes > 1:
            raise ValueError(
                f"how='none' needs a single process; the launcher started {processes}"
            )
        return ONE_DEVICE
    if how == "model" and backend != "jax":
        raise ValueError(
            f"how='model' needs KERAS_BACKEND=jax; received {backend}, "
            "which knows 'data' only"
        )
    module = importlib.import_module(f"keras_transformer.distribution.on_{backend}")
    engine = module.engine(how, model_devices)
    if engine is None and how != "auto":
        advice = "one device needs how='none'"
        if backend == "torch":
            advice = "start it with torchrun"
        raise ValueError(
            f"how={how!r} needs several devices or processes; received 1: {advice}"
        )
    return engine or ONE_DEVICE
