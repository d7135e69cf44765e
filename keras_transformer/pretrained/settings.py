"""The content of a checkpoint's `config.json`."""

from ..config import expect, one_of

# Ours by theirs; of several names the first is written.
ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "silu": "silu",
    "swish": "silu",
}
THEIR_NAMES = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}


class Settings(dict):
    """The content of `config.json`, which says what is missing."""

    def __missing__(self, name):
        raise ValueError(f"config.json must have {name}; it has not")

    def fields(self, table):
        """The fields of our configuration, by a table of what they are called here."""
        found = {ours: self[theirs] for ours, theirs in table.items()}
        if "activation" in table:
            kind = one_of(table["activation"], found["activation"], ACTIVATIONS)
            found["activation"] = ACTIVATIONS[kind]
        return found

    def check_only(self, values):
        """Raise a `ValueError` if one of these is there with another value."""
        for name, value in values.items():
            found = self.get(name, value)
            expect(found == value, name, f"be {value!r}", found)

    def with_defaults(self, defaults):
        """The same with defaults for what is missing."""
        return Settings({**defaults, **self})


def written(config, table):
    """What `config.json` has for the fields of our configuration, by such a table."""
    found = {theirs: getattr(config, ours) for ours, theirs in table.items()}
    if "activation" in table:
        found[table["activation"]] = THEIR_NAMES[config.activation]
    return found
