"""Which of Keras's backends the command runs on."""

import contextlib
import importlib.util
import json
import os
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")


def choose_backend():
    """Take the first backend that is installed unless the user chose one; say how to get one if there is none."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    settings = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    wanted = os.environ.get("KERAS_BACKEND")
    if not wanted and settings.is_file():
        with contextlib.suppress(ValueError, AttributeError):
            wanted = json.loads(settings.read_text(encoding="utf-8")).get("backend")
    if wanted and wanted not in BACKENDS:
        raise ValueError(
            f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}; received {wanted!r}"
        )
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    if not os.environ.get("KERAS_BACKEND") and wanted not in installed:
        # Keras writes that file by itself, and names TensorFlow in it whatever is
        # installed.
        wanted = None
    if not installed or (wanted and wanted not in installed):
        what = (
            f"backend {wanted!r} is not installed"
            if wanted
            else "no backend is installed"
        )
        raise ImportError(
            f"{what}: pip install 'keras-transformer-nmt[{wanted or 'tensorflow'}]'"
        )
    os.environ["KERAS_BACKEND"] = wanted or installed[0]


def import_keras():
    """Import Keras without the lines that TensorFlow writes then, past Python and whatever its log level."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
