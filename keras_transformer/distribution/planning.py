"""A training planned for a machine that is only described, by its real compiler."""

import dataclasses
import json
import math
import re

from ..config import (
    CausalLMConfig,
    DataConfig,
    TrainingConfig,
    TransformerConfig,
    expect,
)
from ..data.buckets import rows_per_bucket
from ..process.bars import doing
from ..process.child_process import run_in_child
from ..process.extras import needed
from .chips import CHIPS, Gpu
from .choice import check_choice
from .machine_plan import Plan
from .program import Collective

PROGRAM = "keras_transformer.distribution.training_step"
SHAPE = re.compile(r"[1-9]\d{0,3}(x[1-9]\d{0,3})*")
UPDATES = 100_000  # the paper's, for `base`
LONGEST = 100_000  # as for `DataConfig.max_length`
# What libtpu asks for where there is no TPU; nor shall it write files, or keep others
# from compiling meanwhile. Without a GPU, XLA cannot try which kernel is fastest.
ENVIRONMENT = dict(
    KERAS_BACKEND="jax",
    JAX_PLATFORMS="cpu",
    TPU_SKIP_MDS_QUERY="1",
    TPU_ACCELERATOR_TYPE="v5litepod-8",
    TPU_WORKER_HOSTNAMES="localhost",
    TPU_LOG_DIR="disabled",
    ALLOW_MULTIPLE_LIBTPU_LOAD="1",
    XLA_FLAGS="--xla_gpu_autotune_level=0",
)


def plan(
    topology,
    model,
    data=None,
    training=None,
    how="data",
    model_devices=None,
    length=32,
):
    """What a training needs of a machine, told without one.

    The training step that `train` runs is compiled by the machine's own compiler, in a
    process of its own, for chips that are only described; what the compiled program
    needs is held against what is published of them. It takes minutes.

    Args:
        topology: a chip and the shape of a slice: `v4:2x2x2`, `v5e:4x4`, `v5p:2x2x2`,
            `v6e:2x4`; or a GPU and how many: `a100:8`, `h100:8`, `h200:8`, `b200:8`,
            and of several boxes `h100:4x8`.
        model: a `TransformerConfig` or a `CausalLMConfig`.
        data: a `DataConfig`, whose `batch_tokens` count; the defaults when absent.
        training: a `TrainingConfig`: the type, what changes an update, and the updates,
            100,000 unless `max_updates` are given.
        how, model_devices: as for `distribute`: `"data"` or `"model"`.
        length: tokens of a row.

    Returns:
        a `Plan`.

    Raises:
        ValueError: if the topology is unknown to the compiler, model_devices do not
            divide the devices of a host or stand without "model", or the batch does not
            fit into the memory.
        ImportError: if the compiler is not installed.

    Examples:
        >>> plan("v5e:2x4", preset("base"), how="data")  # doctest: +SKIP

    Source: Williams et al. 2009, "Roofline".
    """
    data = data or DataConfig()
    training = training or TrainingConfig()
    check_choice(how, model_devices, ("data", "model"))
    check_described(model, length)
    name, sizes = machine(topology)
    chip = CHIPS[name]
    needed("jax", chip.compiler, extra=chip.extra)
    task = dict(
        chip=name,
        sizes=sizes,
        model=dataclasses.asdict(model),
        training=dataclasses.asdict(training),
        how=how,
        model_devices=model_devices,
        rows=rows_per_bucket(length, data.batch_tokens),
        length=length,
    )
    devices = math.prod(sizes)
    with doing(f"compiling for {devices} x {chip.name}"):
        printed = run_in_child(
            chip.name, "-m", PROGRAM, task=task, environment=ENVIRONMENT
        )
    found = json.loads(printed.splitlines()[-1])
    if "error" in found:
        raise ValueError(found["error"])
    found["collectives"] = [Collective(**one) for one in found["collectives"]]
    planned = Plan(
        topology=topology,
        devices=devices,
        length=length,
        steps=(training.max_updates or UPDATES) * training.gradient_accumulation,
        dtype=training.dtype,
        parameters=model.parameters,
        **found,
    )
    fits = planned.used <= chip.memory
    must = f"fit into {chip.memory / 1e9:.0f} GB: about {planned.largest_batch:,} do"
    expect(fits, "batch_tokens", must, planned.tokens)
    return planned


def check_described(model, length):
    """Raise a `ValueError` for what is no model's configuration, or no length of it."""
    is_right = isinstance(model, TransformerConfig | CausalLMConfig)
    expect(is_right, "model", "be a TransformerConfig or a CausalLMConfig", model)
    longest = model.longest or LONGEST
    fits = 1 <= length <= longest
    expect(fits, "length", f"be between 1 and {longest}", length)


def machine(topology):
    """The name of a chip, and the sizes of a slice of them or of boxes and their GPUs.

    Examples:
        >>> machine("v5e:4x4")
        ('v5e', [4, 4])
    """
    name, _, shape = topology.partition(":")
    is_known = name in CHIPS and SHAPE.fullmatch(shape)
    must = f"be CHIP:SHAPE, such as v5e:2x4 or h100:8, of {', '.join(CHIPS)}"
    expect(is_known, "topology", must, topology)
    chip = CHIPS[name]
    sizes = [int(size) for size in shape.split("x")]
    if isinstance(chip, Gpu):
        must = f"be GPUs, at most {chip.most}, or boxes and the GPUs of each"
        expect(len(sizes) <= 2 and sizes[-1] <= chip.most, "topology", must, topology)
    else:
        must = f"be a slice of at most {chip.most} chips"
        expect(math.prod(sizes) <= chip.most, "topology", must, topology)
    return name, sizes
