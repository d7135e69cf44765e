"""For the lead: gives way to `keras_transformer.runs.run.Run`, with the same names."""

from pathlib import Path
from types import SimpleNamespace

from keras_transformer.runs.run import load_model, load_tokenizers, read_config


class Run:
    def __init__(self, path):
        self.path = Path(path)
        self.config = SimpleNamespace(model=read_config(path, "model"))

    @classmethod
    def open(cls, path):
        return cls(path)

    @property
    def tokenizers(self):
        return load_tokenizers(self.path)

    def model(self, dtype=None):
        return load_model(self.path, dtype)
