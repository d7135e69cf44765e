"""Two small models: an automaton to search by hand, and a Transformer with its text."""

import itertools
import types

import numpy as np
import pytest
from keras import ops

from keras_transformer.config import TransformerConfig
from keras_transformer.decoding.compiled import compiled
from keras_transformer.models.transformer import Transformer
from keras_transformer.text.special_tokens import BEGIN, END, PAD
from keras_transformer.text.tokenizer import Tokenizer

WORDS = (
    "a man woman child dog rides sees the red blue bike horse in near of house "
    "garden tree big small"
).split()


class Automaton:
    """A model whose logits depend on the whole history, by a state in the cache.

    They are `table[state]`, the next state being `(3 state + token + shift + index) mod
    states`. `shift` differs between the sentences of a batch, so that they have
    different models. Of a vocabulary of six, four tokens can be generated: unknown, end
    and two ordinary ones.
    """

    def __init__(self, vocabulary=6, states=13, seed=3, spread=2.0):
        random = np.random.default_rng(seed)
        table = spread * random.normal(size=(states, vocabulary))
        self.table = table.astype("float32")
        self.states = states
        special = (PAD, BEGIN, END)
        self.ordinary = [token for token in range(vocabulary) if token not in special]

    def cache(self, shifts):
        return {"state": ops.zeros_like(shifts), "shift": (shifts,)}

    def step(self, ids, index, cache):
        (shift,) = cache["shift"]
        state = (3 * cache["state"] + ids + shift + index) % self.states
        logits = ops.take(ops.convert_to_tensor(self.table), state, axis=0)
        return logits, {"state": state, "shift": (shift,)}

    def log_probs(self, tokens, shift):
        """Log-probabilities of what may follow each token before the last, in float64.

        They come by a path of their own: `(positions, V)`.
        """
        state = 0
        rows = []
        for index, token in enumerate([BEGIN, *tokens]):
            state = (3 * state + token + shift + index) % self.states
            logits = self.table[state].astype("float64")
            rows.append(logits - np.log(np.exp(logits).sum()))
        return np.array(rows)

    def log_prob(self, tokens, shift, free=0):
        """Sum of the log-probabilities of tokens, the first `free` of which are 0."""
        rows = self.log_probs(tokens[:-1], shift)
        return sum(row[token] for row, token in list(zip(rows, tokens))[free:])

    def greedy(self, shift, max_length):
        """The likeliest token at each step, until END or the limit."""
        tokens = []
        while END not in tokens and len(tokens) < max_length:
            row = self.log_probs(tokens, shift)[-1]
            tokens.append(max([END, *self.ordinary], key=row.__getitem__))
        return tuple(tokens)

    def all_translations(self, max_length, prefix=()):
        """Every sequence with the prefix that ends, or stops at the limit."""
        for length in range(1, max_length + 1):
            lasts = [END, *self.ordinary] if length == max_length else [END]
            for body in itertools.product(self.ordinary, repeat=length - 1):
                for last in lasts:
                    if (*body, last)[: len(prefix)] == tuple(prefix):
                        yield (*body, last)

    def ranking(self, shift, max_length, alpha, penalty, prefix=(), free=0):
        """All translations as (score, tokens), best first."""
        scored = []
        for tokens in self.all_translations(max_length, prefix):
            count = len(tokens)
            charge = ((5 + count) / 6 if penalty == "gnmt" else count) ** alpha
            scored.append((self.log_prob(tokens, shift, free) / charge, tokens))
        return sorted(scored, reverse=True)


@pytest.fixture(scope="session")
def automaton():
    return Automaton


@pytest.fixture(scope="session")
def run():
    """Calls `search(max_lengths, *more)` compiled, from int32 NumPy to NumPy."""

    def run(search, *arrays):
        call = compiled(search, types.SimpleNamespace(variables=()))
        return call(*(np.asarray(array, "int32") for array in arrays))

    return run


def strip_padding(tokens):
    return tuple(int(token) for token in tokens if token != PAD)


@pytest.fixture(scope="session")
def strip():
    """A row without its padding, as a tuple."""
    return strip_padding


def random_sentences(count, seed=0, longest=8):
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest, size=count)
    return [" ".join(random.choice(WORDS, length)) for length in lengths]


@pytest.fixture(scope="session")
def sentences():
    """`sentences(count, seed)`: that many of one to seven words."""
    return random_sentences


@pytest.fixture(scope="session")
def tokenizer():
    return Tokenizer.train(random_sentences(100), vocab_size=67)


@pytest.fixture(scope="session")
def model():
    """A `Transformer` whose translations differ, and many of which end."""
    sizes = dict(encoder_layers=1, decoder_layers=1, d_model=16, d_ff=29, num_heads=2)
    vocabulary = dict(source_vocab_size=67, target_vocab_size=67)
    model = Transformer(TransformerConfig(**vocabulary, **sizes))
    random = np.random.default_rng(0)
    # Larger weights than at the start of training: wide margins between choices.
    for variable in model.trainable_variables:
        if variable.name == "kernel":
            variable.assign(random.normal(size=variable.shape, scale=0.6))
        elif variable.name == "embeddings":
            sizes = np.where(np.arange(67) == END, 1.0, 0.5)[:, None]
            variable.assign(random.normal(size=variable.shape) * sizes)
    return model
