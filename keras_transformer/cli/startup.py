"""What the command does before Keras is imported, and how it imports Keras."""

import contextlib
import ctypes
import importlib.util
import json
import os
import sys
from pathlib import Path

from ..config import one_of
from ..process.bars import doing
from ..process.extras import how_to_get, needed

BACKENDS = ("tensorflow", "jax", "torch")
LARGEST_CACHE = 1 << 29  # bytes
# What Keras imports if it is installed, for features that no command uses: a second.
UNUSED = ("matplotlib", "pandas", "sklearn")
# Of malloc.h.
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4


def choose_backend():
    """Set KERAS_BACKEND to the user's choice, or to the first backend installed.

    Raises:
        ValueError: if the user, or the settings file, names something else.
        ImportError: if the chosen backend is not installed, or none is.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    chosen = os.environ.get("KERAS_BACKEND")
    wanted = chosen or backend_in_settings()
    if wanted:
        name = "KERAS_BACKEND" if chosen else f"backend in {settings_file()}"
        one_of(name, wanted, BACKENDS)
    if chosen:
        needed(chosen, extra=chosen)
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    if not installed:
        raise ImportError(f"no backend is installed: {how_to_get(BACKENDS[0])}")
    # Keras writes its settings by itself, and names TensorFlow whatever is installed.
    os.environ["KERAS_BACKEND"] = wanted if wanted in installed else installed[0]


def settings_file():
    """The path of Keras's settings, which may be there."""
    home = os.environ.get("KERAS_HOME", Path.home() / ".keras")
    return Path(home, "keras.json")


def backend_in_settings():
    """The backend that Keras's settings file names; None without one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return json.loads(settings_file().read_bytes()).get("backend")
    return None


def keep_freed_memory():
    """Let glibc reuse freed memory; elsewhere do nothing.

    It is for a process of our own, not for one that imports us. By default an array of
    more than 128 KiB may be mapped anew from the kernel and given back each time: on a
    CPU, these page faults take a quarter of a small model's training step.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_MAX, 0)
        library.mallopt(M_TRIM_THRESHOLD, 1 << 30)  # bytes


def keep_programs():
    """Let JAX keep what it compiles, for later processes of this user.

    JAX's own variables say otherwise: `JAX_COMPILATION_CACHE_DIR` another folder,
    `JAX_ENABLE_COMPILATION_CACHE=false` none.
    """
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return  # other programs may use it, without a bound
    if importlib.util.find_spec("filelock") is None:
        return  # without it JAX cannot bound the folder
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    settings = {
        "JAX_COMPILATION_CACHE_DIR": str(Path(home, "keras-transformer", "jax")),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(LARGEST_CACHE),
        # Small programs too: there are hundreds, each compiled in some milliseconds.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def start_keras():
    """Choose a backend, set it up, and import Keras without TensorFlow's lines.

    TensorFlow writes them to standard error from C++, whatever its log level.
    """
    choose_backend()
    keep_freed_memory()
    keep_programs()
    backend = os.environ["KERAS_BACKEND"]
    unused = {*UNUSED, "jax"} - {backend}
    starting = f"starting {backend}"
    with silenced() as terminal, doing(starting, file=terminal), hidden(unused):
        import keras  # noqa: F401


@contextlib.contextmanager
def beside_tensorflow(is_used):
    """Under another backend, TensorFlow is imported without its lines, or not at all.

    Keras would import it, in five seconds, when it seeds or saves a model.
    """
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        yield
    elif is_used:
        starting = "starting tensorflow"
        with silenced() as terminal, doing(starting, file=terminal):
            with contextlib.suppress(ImportError):
                import tensorflow  # noqa: F401
        yield
    else:
        with hidden(("tensorflow",)):
            yield


@contextlib.contextmanager
def hidden(names):
    """Packages cannot be imported meanwhile, unless they are already."""
    absent = [name for name in names if name not in sys.modules]
    # Python's own mark for what is not to be found.
    sys.modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextlib.contextmanager
def silenced():
    """Silence what libraries print, in C++ too; give standard error to write to."""
    kept = [os.dup(1), os.dup(2)]
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    try:
        place = open(kept[1], "w", closefd=False, errors="backslashreplace")
        with place as terminal:
            yield terminal
    finally:
        for number, descriptor in enumerate(kept, 1):
            os.dup2(descriptor, number)
            os.close(descriptor)
