"""Stands in until the hub download is merged."""

from pathlib import Path

from keras_transformer.files import sha256


def fetch(source, revision=None):
    folder = Path(source)
    return folder, {"source": str(source), "files": {p.name: sha256(p) for p in sorted(folder.iterdir())}}
