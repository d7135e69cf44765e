"""What JAX compiled is there for the next process, and harms none."""

import os
import subprocess
import sys

import keras
import pytest

pytestmark = [
    pytest.mark.every_backend,
    pytest.mark.skipif(
        keras.backend.backend() != "jax", reason="JAX alone keeps compiled programs"
    ),
]


def translated(run, home):
    """What a process of its own writes: output and errors, but for lines of bars."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(home)}
    del environment["JAX_COMPILATION_CACHE_DIR"]  # that of the tests
    done = subprocess.run(
        [sys.executable, "-m", "keras_transformer", "translate", run, "A man."],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    return done.stdout, [line for line in lines if "00:" not in line]


def test_programs_are_kept_and_damaged_ones_made_again(trained, tmp_path):
    text, errors = translated(trained, tmp_path)
    assert errors == []
    folder = tmp_path / "keras-transformer" / "jax"
    kept = sorted(folder.glob("*-cache"))
    assert kept
    assert translated(trained, tmp_path) == (text, [])
    assert sorted(folder.glob("*-cache")) == kept  # nothing was compiled
    for program in kept:
        program.write_bytes(program.read_bytes()[:9])
    again, _ = translated(trained, tmp_path)
    assert again == text


@pytest.mark.slow
def test_a_folder_that_cannot_be_written(trained, tmp_path):
    (tmp_path / "keras-transformer").write_text("a file is in the way")
    text, _ = translated(trained, tmp_path)
    assert text == translated(trained, tmp_path / "other")[0]
