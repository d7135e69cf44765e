"""Every engine trains as one device does: after 20 updates weights and logs agree."""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from distribution.launching import BACKEND, finish, start

PROGRAM = Path(__file__).parent / "program.py"


class Cell(NamedTuple):
    backend: str
    processes: int
    devices: int  # of each process
    how: str
    model_devices: int  # that share a model
    shards: list  # of each process: its number, processes, devices
    recipes: str
    more: str = ""  # recipes that are slow


TWO = [[0, 2, 1], [1, 2, 1]]
CELLS = {
    "tensorflow: two devices": Cell(
        "tensorflow", 1, 2, "data", 0, [[0, 1, 2]], "", "sgd adam mixed regularised"
    ),
    "tensorflow: two processes": Cell(
        "tensorflow", 2, 1, "auto", 0, TWO, "accumulated", "sgd mixed half regularised"
    ),
    "jax: eight devices": Cell(
        "jax", 1, 8, "auto", 0, [[0, 1, 8]], "", "accumulated sgd mixed regularised"
    ),
    "jax: two groups of four": Cell(
        "jax", 1, 8, "model", 4, [[0, 1, 2]], "adam", "regularised"
    ),
    "jax: two processes": Cell("jax", 2, 1, "data", 0, TWO, "adam", "sgd"),
    "jax: two processes of two that share": Cell(
        "jax", 2, 2, "model", 2, TWO, "", "accumulated"
    ),
    "torch: two processes": Cell(
        "torch", 2, 1, "auto", 0, TWO, "accumulated", "sgd half mixed regularised"
    ),
}
# Of the largest differences of a weight and of a logged value, perplexities of about 15
# among them.
LIMITS = {
    "sgd": (1e-5, 2e-5),
    "adam": (1e-4, 1e-4),
    "accumulated": (1e-4, 1e-4),
    # The moving average of Adam, and the loss of two equal passes.
    "regularised": (1e-4, 1e-4),
    "mixed": (0.1, 0.1),  # eight bits
    "half": (0.1, 0.1),
}
# What is sharded of some weights and of the optimizer's slots, along which axis; norms
# are whole.
CUT = {
    r"self_attention/query/kernel$": 1,
    r"cross_attention/output/kernel$": 0,
    r"feed_forward/expand/kernel$": 1,
    r"feed_forward/contract/kernel$": 0,
    r"embeddings$": 0,
    r"query_kernel_momentum$": 1,
    r"norm/gamma$": None,
}


def cells():
    for name, cell in CELLS.items():
        if cell.backend == BACKEND and cell.recipes:
            yield pytest.param(name, cell.recipes)
        if cell.backend == BACKEND and cell.more:
            yield pytest.param(name, cell.more, marks=pytest.mark.slow)


@pytest.mark.parametrize("name, recipes", cells())
def test_trains_as_one_device(name, recipes):
    cell = CELLS[name]
    recipes = recipes.split()
    virtual = cell.devices if BACKEND == "jax" else 1
    arguments = [PROGRAM, cell.how, cell.model_devices, cell.devices, *recipes]
    written = finish(start(arguments, cell.processes, virtual))
    found = [json.loads(text.strip().splitlines()[-1]) for text in written]
    first = found[0]
    assert [each["shard"] for each in found] == cell.shards
    assert len(first["translations"]) == cell.processes
    for each in found:
        assert each["translations"] == first["translations"]
        for recipe in recipes:
            weights, logs = LIMITS[recipe]
            assert each[recipe]["weights"] < weights, (recipe, each)
            assert each[recipe]["logs"] < logs, (recipe, each)
            # The processes' weights are the same bits.
            assert each[recipe]["sum"] == first[recipe]["sum"]
    # And the replicas' dropout is not.
    assert all(one != other for one, other in first.get("seeds", ()))
    assert ("seeds" in first) == (name == "tensorflow: two devices")
    if cell.how == "model":
        check_shards(first["shards"], cell.model_devices)


def check_shards(shards, parts):
    for pattern, axis in CUT.items():
        found = [shapes for path, shapes in shards.items() if re.search(pattern, path)]
        expected = [16] if axis is None else [16, 16]
        if axis is not None:
            expected[axis] //= parts
        assert found
        for shapes in found:
            assert all(shape == expected for shape in shapes), (pattern, shapes)
