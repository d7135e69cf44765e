"""Checkpoints and their runs, each made once for all tests of this folder."""

import collections

import pytest

Imported = collections.namedtuple("Imported", "theirs checkpoint languages ours run")


@pytest.fixture(scope="session")
def imported(tmp_path_factory):
    """A function of a name in `tokenizer_folders.FOLDERS`: a checkpoint and its run."""
    made = {}

    def imported(name):
        if name not in made:
            from checkpoints import complete

            from keras_transformer import pretrained

            folder = tmp_path_factory.mktemp(name)
            checkpoint = folder / "checkpoint"
            run = folder / "run"
            theirs, languages = complete(checkpoint, name, max_position_embeddings=160)
            ours = pretrained.load(checkpoint, run, *languages)
            made[name] = Imported(theirs, checkpoint, languages, ours, run)
        return made[name]

    return imported
