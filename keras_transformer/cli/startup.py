"""What the command does before Keras is imported, and how it imports Keras."""

import contextlib
import ctypes
import importlib.util
import json
import os
import sys
from pathlib import Path

from keras_transformer.runs.extras import how_to_get

BACKENDS = ("tensorflow", "jax", "torch")
M_TRIM_THRESHOLD = -1  # malloc.h
M_MMAP_MAX = -4
GIBIBYTE = 1 << 30


def start_keras():
    """Choose a backend, set the allocator and import Keras."""
    choose_backend()
    keep_freed_memory()
    import_keras()


def choose_backend():
    """Set KERAS_BACKEND to the user's choice, or to the first backend installed.

    Raises:
        ValueError: if the user chose something else than a backend.
        ImportError: if the chosen backend is not installed, or none is.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    chosen = os.environ.get("KERAS_BACKEND")
    wanted = chosen or backend_in_settings()
    if wanted and wanted not in BACKENDS:
        raise ValueError(
            f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}; received {wanted!r}"
        )
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    if chosen and chosen not in installed:
        raise ImportError(f"backend {chosen!r} is not installed: {how_to_get(chosen)}")
    if not installed:
        raise ImportError(f"no backend is installed: {how_to_get(BACKENDS[0])}")
    # Keras writes its settings by itself, and names TensorFlow whatever is installed.
    os.environ["KERAS_BACKEND"] = wanted if wanted in installed else installed[0]


def backend_in_settings():
    """The backend that Keras's settings file names; None without one."""
    home = os.environ.get("KERAS_HOME", Path.home() / ".keras")
    with contextlib.suppress(OSError, ValueError, AttributeError):
        settings = Path(home, "keras.json").read_text(encoding="utf-8")
        return json.loads(settings).get("backend")


def keep_freed_memory():
    """Let glibc reuse freed memory; elsewhere do nothing.

    It is for a process of our own, not for one that imports us. By default an array of
    more than 128 KiB may be mapped anew from the kernel and given back each time: on a
    CPU, these page faults take a quarter of a small model's training step.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, GIBIBYTE)


def import_keras():
    """Import Keras without the lines that TensorFlow then writes to standard error.

    It writes them from C++, whatever its log level, so Python cannot redirect them.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
