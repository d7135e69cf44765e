"""Runs and exports that many tests share: to train and trace takes most of the time."""

import pytest
from making import SEARCH, make_run

from keras_transformer import export


@pytest.fixture(scope="session")
def untrained(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("untrained") / "run", epochs=0)


@pytest.fixture(scope="session")
def paper(tmp_path_factory):
    """A trained run whose model has the paper's options."""
    return make_run(tmp_path_factory.mktemp("paper") / "run")


@pytest.fixture(scope="session")
def varied(tmp_path_factory):
    """A trained run whose model has others."""
    return make_run(
        tmp_path_factory.mktemp("varied") / "run",
        norm_first=True,
        share_embeddings=False,
        value_dim=5,
        num_key_value_heads=2,
        positions="learned",
        max_positions=44,
    )


@pytest.fixture(scope="session")
def fast(paper, tmp_path_factory):
    """The paper's run for CTranslate2."""
    out = tmp_path_factory.mktemp("ctranslate2") / "out"
    export.ctranslate2(paper, out, extra_length=9, max_source_length=60)
    return out


@pytest.fixture(scope="session")
def saved(varied, tmp_path_factory):
    """The varied run as a SavedModel, with the search `SEARCH`."""
    out = tmp_path_factory.mktemp("saved_model") / "out"
    export.saved_model(varied, out, **SEARCH)
    return out


@pytest.fixture(scope="session")
def portable(varied, tmp_path_factory):
    """The varied run for ONNX."""
    out = tmp_path_factory.mktemp("onnx") / "out"
    check = export.onnx(varied, out)
    assert check.largest_difference < 1e-5 and len(set(check.shapes)) == 2
    return out
