"""Before any test: quiet backends, and the same random numbers in every test whatever ran before it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def fresh_state():
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_dtype_policy("float32")
