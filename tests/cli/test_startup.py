"""The backend is the chosen one, or the first installed; freed memory is used again."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from keras_transformer.cli.startup import (
    BACKENDS,
    choose_backend,
    hidden,
    keep_freed_memory,
    keep_programs,
)


@pytest.mark.parametrize(
    "installed, settings, chosen, expected",
    [
        (BACKENDS, None, None, "tensorflow"),
        (("torch", "jax"), None, None, "jax"),
        (BACKENDS, '{"backend": "torch"}', None, "torch"),
        (BACKENDS, '{"backend": "torch"}', "jax", "jax"),
        (BACKENDS, "[]", None, "tensorflow"),
        (BACKENDS, "{", None, "tensorflow"),
        # Keras writes TensorFlow there whatever is installed.
        (("torch",), '{"backend": "tensorflow"}', "", "torch"),
    ],
)
def test_the_backend(monkeypatch, tmp_path, installed, settings, chosen, expected):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: name in installed or None
    )
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", chosen or "")
    if chosen is None:
        monkeypatch.delenv("KERAS_BACKEND")
    if settings:
        (tmp_path / "keras.json").write_text(settings)
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == expected


def test_a_settings_file_with_another_backend(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text('{"backend": "openvino"}')
    message = "^backend in .*keras.json must be one of tensorflow, .*ed 'openvino'"
    with pytest.raises(ValueError, match=message):
        choose_backend()


def page_faults(passes):
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(passes):
        np.ones(1 << 18)  # 2 MiB: 512 pages
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has these settings")
def test_what_was_freed_is_used_again():
    keep_freed_memory()
    page_faults(passes=1)
    assert page_faults(passes=20) < 512


FOLDER = "JAX_COMPILATION_CACHE_DIR"


def test_jax_keeps_its_programs_where_the_user_says(monkeypatch, tmp_path):
    # So that monkeypatch takes away what is set here.
    for name in (FOLDER, "JAX_COMPILATION_CACHE_MAX_SIZE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    keep_programs()
    assert os.environ[FOLDER] == str(tmp_path / "keras-transformer" / "jax")
    assert os.environ["JAX_COMPILATION_CACHE_MAX_SIZE"] == str(512 * 1024**2)
    monkeypatch.setenv(FOLDER, "elsewhere")
    keep_programs()
    assert os.environ[FOLDER] == "elsewhere"
    monkeypatch.delenv(FOLDER)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    keep_programs()
    assert FOLDER not in os.environ


def test_what_is_hidden_is_absent_for_a_while(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with hidden(["colorsys", "os"]):
        with pytest.raises(ImportError):
            import colorsys
        import os  # was there before
    import colorsys

    assert colorsys.rgb_to_hsv(0, 0, 0) == (0, 0, 0)
    assert os.sep


def test_a_command_starts_without_what_it_does_not_use():
    code = """
import sys
from keras_transformer.cli.startup import UNUSED, start_keras
start_keras()
print([name for name in (*UNUSED, "jax", "tensorflow") if name in sys.modules])
import jax, matplotlib, pandas
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("is_used", [False, True])
def test_tensorflow_beside_another_backend_says_nothing(is_used, tmp_path):
    code = f"""
import sys
import keras
from keras_transformer.cli.startup import beside_tensorflow
with beside_tensorflow({is_used}):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save({str(tmp_path / "a.keras")!r})
    print(sys.modules.get("tensorflow") is not None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    lines = done.stderr.splitlines()
    others = [line for line in lines if not line.startswith("starting tensorflow: ")]
    assert (done.stdout, others) == (f"{is_used}\n", [])
