"""Before any test: quiet backends, and the same random numbers in every test whatever ran before it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import pytest  # noqa: E402

if keras.backend.backend() == "torch" and "PYTEST_XDIST_WORKER" in os.environ:
    import torch

    torch.set_num_threads(1)  # more, in several workers, wait for each other

# Here every operation is compiled for one use: XLA's optimisations cost more than they save.
COMPILED_FOR_ONE_USE = ("layers", "models")


@pytest.fixture(autouse=True)
def fresh_state(request):
    keras.utils.set_random_seed(1)
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_disable_most_optimizations", request.path.parent.name in COMPILED_FOR_ONE_USE)
    yield
    keras.config.set_dtype_policy("float32")
