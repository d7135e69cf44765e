"""What beam search did, step by step, in strings."""

import dataclasses

import numpy as np
from keras import ops

from keras_transformer.text.special_tokens import PAD


@dataclasses.dataclass(frozen=True)
class BeamStep:
    """The hypotheses of one sentence after a step of beam search, best first, each as (its pieces, a number).

    The number is the log-probability of a live hypothesis, the score of a finished one.
    """

    live: tuple[tuple[tuple[str, ...], float], ...]
    finished: tuple[tuple[tuple[str, ...], float], ...]


def recorder(states):
    """A loop for `beam_search` that appends every state to a list: the search itself is what it always is."""

    def loop(advance, going, state, lengths):
        states.append(state)
        while bool(going(state)) and int(state.index) < lengths[-1]:
            state = advance(state)
            states.append(state)
        return state

    return loop


def step(state, pieces, pad=PAD):
    """The `BeamStep` of the first sentence of a `BeamState`: `pieces` are the vocabulary, `pad` is padding's id."""

    def strings(tokens, numbers):
        tokens_WL, numbers_W = (
            ops.convert_to_numpy(tokens)[0],
            ops.convert_to_numpy(numbers)[0],
        )
        return tuple(
            (tuple(pieces[token] for token in row if token != pad), float(number))
            for row, number in zip(tokens_WL, numbers_W, strict=True)
            if number > -np.inf
        )

    live = strings(state.live_tokens, state.live_log_probs)
    return BeamStep(live, strings(state.finished_tokens, state.finished_scores))
