"""A preset of the small run, made once."""

import pytest


@pytest.fixture(scope="session")
def preset(trained, tmp_path_factory):
    from keras_transformer import kerashub

    out = tmp_path_factory.mktemp("kerashub") / "preset"
    kerashub.from_run(trained, out)
    return out
