"""From what the user wants to the backend's engine."""

import importlib
import os

import keras

from ..config import DISTRIBUTIONS, expect
from .choice import check_choice
from .distribution import ONE_DEVICE
from .launcher import launched


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

    Examples:
        >>> distribute("none").processes
        1

    Source: Vaswani et al. 2017, section 5.2 (data parallelism); Shoeybi et al. 2019,
    arXiv 1909.08053 ("model").
    """
    check_choice(how, model_devices, DISTRIBUTIONS)
    backend = keras.backend.backend()
    if "TORCHELASTIC_RUN_ID" in os.environ:
        # Each process would train by itself, all of them the same run.
        expect(backend == "torch", "KERAS_BACKEND", "be torch under torchrun", backend)
    if how == "none":
        _, processes = launched()
        expect(processes == 1, "how='none'", "have a single process", processes)
        return ONE_DEVICE
    if how == "model":
        expect(backend == "jax", "KERAS_BACKEND", "be jax with how='model'", backend)
    module = importlib.import_module(f"keras_transformer.distribution.on_{backend}")
    engine = module.engine(how, model_devices)
    if engine is None:
        expectation = "have several devices or processes, with torch by torchrun"
        expect(how == "auto", f"how={how!r}", expectation, 1)
        return ONE_DEVICE
    return engine
