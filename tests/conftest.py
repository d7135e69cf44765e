"""What holds in every test: quiet backends, and random numbers that start anew."""

import gc
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What JAX compiles is shared by the processes of one session, and by no other.
PROGRAMS = tempfile.TemporaryDirectory(prefix="programs-")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", PROGRAMS.name)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Nearly all is compiled for one use: XLA's optimisations cost more than they save.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false",
)
if "PYTEST_XDIST_WORKER" in os.environ:
    # More, in several workers, wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras  # noqa: E402
import pytest  # noqa: E402
import small  # noqa: E402

from keras_transformer.process import bars  # noqa: E402

# Whether a line comes depends on time.
bars.LINES = float("inf")

# Here is tested what backends compute; elsewhere they change little or nothing.
COMPUTING = (
    "citizen",
    "decoding",
    "distribution",
    "export",
    "faults",
    "layers",
    "models",
    "pretrained",
    "training",
)
# Here each backend has variants of its own.
OWN_VARIANTS = ("distribution",)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Torch, which compiles nothing, runs all; the others what they can change.

    That is the first variant of each test of what is computed, and what is marked with
    `every_backend`. All else is slow there.
    """
    if keras.backend.backend() == "torch":
        return
    seen = set()
    for item in items:
        folder = item.path.parent.name
        test = (item.path, item.originalname)
        is_again = test in seen and folder not in OWN_VARIANTS
        is_wanted = folder in COMPUTING or item.get_closest_marker("every_backend")
        if is_again or not is_wanted:
            item.add_marker(pytest.mark.slow)
        if not item.get_closest_marker("slow"):
            seen.add(test)


def pytest_collection_finish():
    # Keras collects garbage for each layer that it quantizes, among all else.
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_samples():
    """A training ends without translations, which take long to compile.

    They have a test of their own, which calls what it finds here.
    """
    from keras_transformer.training import report

    with pytest.MonkeyPatch.context() as patch:
        show_samples = report.show_samples
        patch.setattr(report, "show_samples", lambda run, model: None)
        yield show_samples


@pytest.fixture(autouse=True)
def fresh_state():
    keras.utils.set_random_seed(1)
    yield
    keras.config.set_dtype_policy("float32")


def one_width(patch):
    patch.setattr(
        "keras_transformer.data.batches.bucket_edges", lambda longest: (longest,)
    )


@pytest.fixture
def one_bucket(monkeypatch):
    """Batches of one width, so that JAX compiles once.

    Batches of several widths have tests of their own.
    """
    one_width(monkeypatch)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """The paths of `small.write_corpus`."""
    return small.write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def trained(corpus, tmp_path_factory):
    """A run of two epochs, for tests that only read it; others copy it first."""
    from keras_transformer.training.train import train

    run = tmp_path_factory.mktemp("trained") / "run"
    recipe = small.training(max_updates=None, average_last=2, patience=5)
    with pytest.MonkeyPatch.context() as patch:
        one_width(patch)
        train(run, *corpus, model=small.MODEL, data=small.DATA, training=recipe)
    return run
