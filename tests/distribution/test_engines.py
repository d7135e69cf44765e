"""Every engine trains as one device does: after 20 updates on the same batches, weights and logs are the same."""

import json
import re
from pathlib import Path

import pytest
from distribution.launching import BACKEND, finish, start

PROGRAM = Path(__file__).parent / "program.py"
TWO = [[0, 2, 1], [1, 2, 1]]
# Backend, processes, devices of each, how, devices that share a model; process,
# processes, devices; recipes.
CELLS = {
    "tensorflow: two devices": (
        "tensorflow",
        1,
        2,
        "data",
        0,
        [[0, 1, 2]],
        ["sgd", "adam", "mixed"],
    ),
    "tensorflow: two processes": (
        "tensorflow",
        2,
        1,
        "auto",
        0,
        TWO,
        ["sgd", "accumulated", "mixed", "half"],
    ),
    "jax: eight devices": (
        "jax",
        1,
        8,
        "auto",
        0,
        [[0, 1, 8]],
        ["sgd", "accumulated", "mixed"],
    ),
    "jax: two groups of four": ("jax", 1, 8, "model", 4, [[0, 1, 2]], ["sgd", "adam"]),
    "jax: two processes": ("jax", 2, 1, "data", 0, TWO, ["sgd", "adam"]),
    "jax: two processes of two that share": (
        "jax",
        2,
        2,
        "model",
        2,
        TWO,
        ["accumulated"],
    ),
    "torch: two processes": (
        "torch",
        2,
        1,
        "auto",
        0,
        TWO,
        ["sgd", "accumulated", "mixed", "half"],
    ),
}
# Of the largest differences of a weight and of a logged value, perplexities of about 15
# among them.
LIMITS = {
    "sgd": (1e-5, 2e-5),
    "adam": (1e-4, 1e-4),
    "accumulated": (1e-4, 1e-4),
    "mixed": (0.1, 0.1),  # eight bits
    "half": (0.1, 0.1),
}


@pytest.mark.parametrize(
    "cell",
    [
        # The others have its parts.
        pytest.param(name, marks=pytest.mark.slow if "share" in name else [])
        for name, (backend, *_) in CELLS.items()
        if backend == BACKEND
    ],
)
def test_trains_as_one_device(cell):
    _, processes, devices, how, model_devices, shards, recipes = CELLS[cell]
    virtual = devices if BACKEND == "jax" else 1
    written = finish(
        start([PROGRAM, how, model_devices, devices, *recipes], processes, virtual)
    )
    found = [json.loads(text.strip().splitlines()[-1]) for text in written]
    assert [each["shard"] for each in found] == shards
    assert all(each["translations"] == found[0]["translations"] for each in found)
    assert len(found[0]["translations"]) == processes
    for each in found:
        for name in recipes:
            weights, logs = LIMITS[name]
            assert each[name]["weights"] < weights and each[name]["logs"] < logs, (
                name,
                each,
            )
            # The processes' weights are the same bits.
            assert each[name]["sum"] == found[0][name]["sum"]
    # And the replicas' dropout is not.
    assert all(one != other for one, other in found[0].get("seeds", ()))
    assert ("seeds" in found[0]) == (cell == "tensorflow: two devices")
    if how == "model":
        sharded(found[0]["shards"], model_devices)


def sharded(shards, parts):
    """Heads, feed-forward and vocabulary are cut, and so are the optimizer's slots of them; norms are not."""
    for name, cut in {
        r"self_attention/query/kernel$": [16, 16 // parts],
        r"cross_attention/output/kernel$": [16 // parts, 16],
        r"feed_forward/expand/kernel$": [16, 16 // parts],
        r"feed_forward/contract/kernel$": [16 // parts, 16],
        r"embedding/embeddings$": [16 // parts, 16],
        r"query_kernel_momentum$": [16, 16 // parts],
        r"norm/gamma$": [16],
    }.items():
        shapes = [found for path, found in shards.items() if re.search(name, path)]
        assert shapes and all(shape == cut for found in shapes for shape in found), (
            name,
            shapes,
        )
