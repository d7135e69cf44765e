"""The training step of `fit`, lowered and compiled for any devices, from shapes alone.

As a program, this module compiles what its last argument describes, as JSON, and prints
what the compiled program needs: see `planning`, which starts it.
"""

import json
import math
import re

import jax
import numpy as np
from jax.experimental import topologies
from jaxlib._jax import hlo_module_cost_analysis
from keras import distribution as keras_distribution
from keras import tree

from ..config import TrainingConfig, config_from, refused
from ..models.kinds import model_of
from ..process.child_process import given_task
from ..training.recipe import compile_for_training
from .chips import CHIPS, TPUS_A_HOST, Gpu
from .on_jax import OnJax
from .program import collectives, traffic


def described_model(config, training, distribution):
    """A compiled model whose variables have shapes and shardings, and no values."""
    made = []

    def make():
        with distribution.scope():
            model = model_of(config, training.dtype)
            if training.lora_rank is not None:
                model.enable_lora(training.lora_rank)
            compile_for_training(model, training, loss_reduction="sum")
            model.optimizer.build(model.trainable_variables)
            # The first call makes the variables of the metrics.
            one = np.zeros((1, 1), "float32")
            logits = np.zeros((1, 1, model.output.shape[-1]), "float32")
            model.compute_metrics(None, one, logits, one)
        made.append(model)

    # Traced, not run: eight copies of `big` need no memory so.
    jax.eval_shape(make)
    return made[0]


def step_arguments(model, rows, length):
    """State and batch of a training step: shapes, with the shardings of the scope."""
    engine = keras_distribution.distribution()

    def described(variable):
        sharding = engine and engine.get_variable_layout(variable).backend_layout
        return jax.ShapeDtypeStruct(variable.shape, variable.dtype, sharding=sharding)

    def batch_of(dtype):
        shape = (rows, length)
        sharding = engine and engine.get_data_layout(shape).backend_layout
        return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)

    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    state = tuple([described(variable) for variable in group] for group in groups)
    ids = batch_of("int32")

    def same(_):
        return ids

    inputs = tree.map_structure(same, model.input)
    return state, (inputs, ids, batch_of("float32"))


def lowered_step(config, training, distribution, rows, length):
    """The step that `fit` runs on a batch of that shape, as JAX lowers it.

    Args:
        config: of a `Transformer` or a `CausalLM`.
        training: a `TrainingConfig`.
        distribution: what `distribute` gives, or an `OnJax` of described devices.
        rows, length: the shape of the whole batch.

    Returns:
        the lowered step, to `compile()`, and its state as shapes.
    """
    model = described_model(config, training, distribution)
    with distribution.scope():
        state, batch = step_arguments(model, rows, length)
        shardings = None
        if keras_distribution.distribution() is not None:
            shardings = (None, jax.tree.map(sharding_of, state))
        # As Keras's own `make_train_function`.
        step = jax.jit(model.train_step, donate_argnums=0, out_shardings=shardings)
        return step.lower(state, batch), state


def sharding_of(described):
    return described.sharding


def described_devices(name, sizes):
    """The devices of a machine that is not there.

    Raises:
        ValueError: if there is no such machine.
    """
    chip = CHIPS[name]
    shape = "x".join(map(str, sizes))
    if isinstance(chip, Gpu):
        boxes, gpus = (1, *sizes)[-2:]
        machine = dict(platform="cuda", topology_name="", target_config=chip.target)
        machine["topology"] = f"{boxes}x1x{gpus}"
    else:
        machine = dict(platform="tpu", topology_name=f"{name}:{shape}")
        if name == "v4":  # both cores of a chip as one device, as JAX has them there
            machine["chip_config_name"] = "megacore"
        if len(sizes) == 2 and math.prod(sizes) <= TPUS_A_HOST:
            machine["chips_per_host_bounds"] = [*sizes, 1]
    try:
        return topologies.get_topology_desc(**machine).devices
    except jax.errors.JaxRuntimeError as error:
        must = f"be a machine that its compiler knows ({error})"
        raise refused("topology", must, f"{name}:{shape}") from None


def bytes_of(described):
    """Of what one device holds of arrays."""
    total = 0
    for array in jax.tree.leaves(described):
        shape = array.sharding.shard_shape(array.shape)
        total += math.prod(shape) * array.dtype.itemsize
    return total


def needs(compiled, state, devices):
    """What a compiled step needs on each device, as JSON can hold it."""
    found = compiled.memory_analysis()
    weights = bytes_of(state[:2])
    optimizer = bytes_of(state[2:])
    memory = dict(
        weights=weights,
        optimizer=optimizer,
        batch=found.argument_size_in_bytes - weights - optimizer,
        temporaries=found.temp_size_in_bytes,
        program=found.generated_code_size_in_bytes,
    )
    program = compiled.as_text()
    flops, counted = costs(compiled)
    is_tpu = "TPU" in devices[0].device_kind
    exchanged = collectives(program, len(devices))
    return dict(
        memory=memory,
        flops=flops,
        bytes=traffic(program) if is_tpu else counted,
        counted_bytes=counted,
        collectives=[vars(one) for one in exchanged],
    )


def compiled_to_fit(step, tokens):
    """The compiled step; a `ValueError` that says how many tokens would fit."""
    try:
        return step.compile()
    except jax.errors.JaxRuntimeError as error:
        said = str(error)
        if "RESOURCE_EXHAUSTED" not in said:
            raise
    sizes = [float(size) for size in re.findall(r"([\d.]+)G\b", said)]
    must = f"fit into the memory ({said.splitlines()[0]})"
    if len(sizes) >= 2:
        needed, free = sizes[:2]
        must += f"; about {int(tokens * free / needed):,} do"
    raise refused("batch_tokens", must, tokens)


def costs(compiled):
    """FLOPs, and bytes read and written in any memory, on each device."""
    found = compiled.cost_analysis()
    if found is None:  # the compiler for GPUs counts nothing
        (module,) = compiled.runtime_executable().hlo_modules()
        client = jax.devices("cpu")[0].client
        found = hlo_module_cost_analysis(client, module)
    return found["flops"], found["bytes accessed"]


def main():
    """Print as JSON what the step needs, or why it cannot be compiled."""
    task = given_task()
    try:
        found = planned(**task)
    except ValueError as error:
        found = dict(error=str(error))
    print(json.dumps(found))


def planned(chip, sizes, model, training, how, model_devices, rows, length):
    """What `planning` wants to know of a step, as JSON can hold it."""
    config = config_from(model)
    training = TrainingConfig(**training)
    devices = described_devices(chip, sizes)
    distribution = OnJax(how, model_devices, devices)
    distribution.check(config, training)
    _, processes, groups = distribution.shard
    whole = processes * groups
    rows = math.ceil(rows / whole) * whole
    passes = 2 if training.r_drop else 1
    step, state = lowered_step(config, training, distribution, rows * passes, length)
    found = needs(compiled_to_fit(step, rows * length), state, devices)
    return dict(found, rows=rows, model_devices=distribution.model_devices)


if __name__ == "__main__":
    main()
