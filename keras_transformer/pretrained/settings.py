"""The content of a checkpoint's `config.json`."""


class Settings(dict):
    """The content of `config.json`, which says what is missing."""

    def __missing__(self, name):
        raise ValueError(f"config.json must have {name}; it has not")

    def with_defaults(self, defaults):
        """The same with defaults for what is missing."""
        return Settings({**defaults, **self})
