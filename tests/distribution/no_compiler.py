"""A compiler that compiles nothing, for plans."""

import json

from keras_transformer.distribution import planning
from keras_transformer.distribution.program import Collective

MEMORY = dict(
    weights=242e6, optimizer=484e6, batch=1e6, temporaries=1.743e9, program=0.27e9
)
GRADIENTS = Collective("all-reduce", 8, 2, 200_000_000, 350e6)
STEP = dict(rows=512, model_devices=1, memory=MEMORY, flops=1.5566e12)
STEP |= dict(bytes=34.3e9, counted_bytes=40e9)


def compiled(monkeypatch, **found):
    """Let the compiler find this without compiling; the tasks it was given."""
    given = []

    def answer(who, *arguments, task, environment):
        given.append(task)
        printed = STEP | dict(collectives=[vars(GRADIENTS)]) | found
        return json.dumps(printed).encode()

    monkeypatch.setattr(planning, "needed", lambda *names, extra: None)
    monkeypatch.setattr(planning, "run_in_child", answer)
    return given
