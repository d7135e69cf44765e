"""Checkpoints and their runs, each made once for all tests of this folder."""

import pytest


@pytest.fixture(scope="session")
def imported(tmp_path_factory):
    """A function of a name in `tokenizer_folders.FOLDERS`: a checkpoint and its run."""
    from checkpoints import importing

    return importing(tmp_path_factory, max_position_embeddings=160)
