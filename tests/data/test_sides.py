"""Files that are mistaken for each other."""

import shutil

import pytest

from keras_transformer.data.corpus import clean_pairs
from keras_transformer.data.pairs import read_pairs
from keras_transformer.data.sides import check_sides


def both(files):
    """The pairs of training and validation."""
    return read_pairs(*files[:2]), read_pairs(*files[2:])


def test_the_right_files_pass(corpus):
    check_sides(*both(corpus))


def test_both_sides_the_same(corpus, tmp_path):
    source, target, *held_out = corpus
    copy = shutil.copy(source, tmp_path / "copy")
    for other in (source, copy):
        with pytest.raises(ValueError, match="source and target must be in two"):
            clean_pairs(source, other)
    with pytest.raises(
        ValueError, match="valid_source and valid_target must be in two"
    ):
        check_sides(*both([source, target, held_out[0], held_out[0]]))


def test_swapped_validation(corpus):
    source, target, valid_source, valid_target = corpus
    with pytest.raises(ValueError, match="of source and target; swap them"):
        check_sides(*both([source, target, valid_target, valid_source]))


def test_a_validation_file_of_the_training_is_a_warning(corpus):
    with pytest.warns(UserWarning, match="is also a file of the training"):
        check_sides(*both([*corpus[:2], *corpus[:2]]))
