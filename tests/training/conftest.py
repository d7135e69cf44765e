import pytest


@pytest.fixture
def one_bucket(monkeypatch):
    """Batches of one width, so that JAX compiles once; those of several have tests of their own."""
    monkeypatch.setattr("keras_transformer.data.batches.bucket_edges", lambda longest: (longest,))
