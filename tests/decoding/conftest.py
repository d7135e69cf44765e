"""A model small enough to search by hand: an automaton whose state sits in the cache."""

import itertools
import types

import numpy as np
import pytest
from keras import ops

from keras_transformer.decoding.compiled import compiled
from keras_transformer.text.special_tokens import BEGIN, END, PAD


class Automaton:
    """Logits that depend on the whole history: `table[state]`, state' = (3 state + token + shift + index) mod states.

    `shift` differs between the sentences of a batch, so that they have different
    models. Of a vocabulary of six, four tokens can be generated: unknown, end and two
    ordinary ones.
    """

    def __init__(self, vocabulary=6, states=13, seed=3, spread=2.0):
        self.table = spread * np.random.default_rng(seed).normal(
            size=(states, vocabulary)
        ).astype("float32")
        self.states = states

    def cache(self, shifts):
        return {"state": ops.zeros_like(shifts), "shift": (shifts,)}

    def step(self, ids, index, cache):
        (shift,) = cache["shift"]
        state = (3 * cache["state"] + ids + shift + index) % self.states
        return ops.take(ops.convert_to_tensor(self.table), state, axis=0), {
            "state": state,
            "shift": (shift,),
        }

    def log_prob(self, tokens, shift):
        """Sum of log-probabilities in float64, by a path of its own."""
        state, last, total = 0, BEGIN, 0.0
        for index, token in enumerate(tokens):
            state = (3 * state + last + shift + index) % self.states
            logits = self.table[state].astype("float64")
            total += logits[token] - np.log(np.exp(logits).sum())
            last = token
        return total

    def all_translations(self, max_length, prefix=()):
        """Every sequence that ends, or stops at the limit, and begins with the prefix."""
        ordinary = [
            token
            for token in range(self.table.shape[1])
            if token not in (PAD, BEGIN, END)
        ]
        for length in range(1, max_length + 1):
            for body in itertools.product(ordinary, repeat=length - 1):
                for last in [END] + (ordinary if length == max_length else []):
                    if (*body, last)[: len(prefix)] == tuple(prefix):
                        yield (*body, last)

    def ranking(self, shift, max_length, alpha, penalty, prefix=()):
        """All translations as (score, tokens), best first."""

        def charge(n):
            return ((5 + n) / 6) ** alpha if penalty == "gnmt" else n**alpha

        scored = [
            (self.log_prob(t, shift) / charge(len(t)), t)
            for t in self.all_translations(max_length, prefix)
        ]
        return sorted(scored, reverse=True)


@pytest.fixture(scope="session")
def automaton():
    return Automaton


@pytest.fixture(scope="session")
def run():
    """Calls `search(begin, max_lengths, *more)` compiled as the backend does it, int32 NumPy in and NumPy out."""

    def run(search, max_lengths, *more):
        arrays = [np.full(len(max_lengths), BEGIN), max_lengths, *more]
        no_model = types.SimpleNamespace(variables=())
        return compiled(search, no_model)(
            *(np.asarray(array, "int32") for array in arrays)
        )

    return run


@pytest.fixture(scope="session")
def strip():
    """A row without its padding, as a tuple."""
    return lambda tokens: tuple(int(token) for token in tokens if token != PAD)
