"""What beam search did, step by step, in strings."""

import dataclasses

import numpy as np
from keras import ops


@dataclasses.dataclass(frozen=True)
class BeamStep:
    """The hypotheses of one sentence after a step of beam search, best first.

    Each is `(its pieces, a number)`: the log-probability of a live hypothesis, the
    score of a finished one.
    """

    live: tuple[tuple[tuple[str, ...], float], ...]
    finished: tuple[tuple[tuple[str, ...], float], ...]


def recorder(states):
    """A loop for `beam_search` that appends every state to a list.

    The search itself is what it always is.
    """

    def loop(search, request, state, lengths):
        states.append(state)
        while bool(ops.any(search.live(state))) and int(state.index) < lengths[-1]:
            state = search.advance(request, state)
            states.append(state)
        return state

    return loop


def step(state, pieces, pad):
    """The `BeamStep` of the first sentence of a `BeamState`."""

    def strings(ids, numbers):
        ids_WL = ops.convert_to_numpy(ids)[0]
        numbers_W = ops.convert_to_numpy(numbers)[0]
        return tuple(
            (tuple(pieces[number] for number in row if number != pad), float(value))
            for row, value in zip(ids_WL, numbers_W, strict=True)
            if value > -np.inf
        )

    live = strings(state.live_tokens, state.live_log_probs)
    return BeamStep(live, strings(state.finished_tokens, state.finished_scores))
