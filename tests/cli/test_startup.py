"""The command's backend: the chosen one, or the first that is installed."""

import json
import os

import pytest

from keras_transformer.cli.startup import BACKENDS, choose_backend


@pytest.mark.parametrize(
    "installed, settings, wanted, expected",
    [
        (BACKENDS, None, None, "tensorflow"),
        (("torch", "jax"), None, None, "jax"),
        (BACKENDS, "torch", None, "torch"),
        (BACKENDS, "torch", "jax", "jax"),
    ],
)
def test_the_backend_is_the_chosen_or_the_first_installed(
    monkeypatch, tmp_path, installed, settings, wanted, expected
):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: name in installed or None
    )
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if wanted:
        monkeypatch.setenv("KERAS_BACKEND", wanted)
    if settings:
        (tmp_path / "keras.json").write_text(json.dumps({"backend": settings}))
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == expected


def test_the_backend_is_one_that_is_installed(tmp_path, monkeypatch):
    # As Keras writes it whatever there is.
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: name if name == "torch" else None
    )
    choose_backend()
    assert os.environ["KERAS_BACKEND"] == "torch"
