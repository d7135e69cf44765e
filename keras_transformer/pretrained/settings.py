"""The content of a checkpoint's `config.json`."""

from ..config import one_of

# Our names of activations by theirs; the first of several is the one that is written.
ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}


class Settings(dict):
    """The content of `config.json`, which says what is missing."""

    def __missing__(self, name):
        raise ValueError(f"config.json must have {name}; it has not")

    def activation(self, name):
        """Our name of the activation that a setting names."""
        return ACTIVATIONS[one_of(name, self[name], ACTIVATIONS)]

    def with_defaults(self, defaults):
        """The same with defaults for what is missing."""
        return Settings({**defaults, **self})
