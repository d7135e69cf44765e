"""Errors name flags while a command runs, and arguments otherwise."""

import pytest

from keras_transformer.process.flag_names import FLAG_NAMES, spelled


@pytest.fixture
def flags():
    before = FLAG_NAMES.set(("beam", "max_length", "n_best", "search", "source"))
    yield
    FLAG_NAMES.reset(before)


@pytest.mark.parametrize(
    "message, expected",
    [
        ("beam must be 1; received 'n_best'", "--beam must be 1; received 'n_best'"),
        ("n_best must fit search='beam'", "--n-best must fit --search beam"),
        ("longer than max_length=128 tokens", "longer than --max-length 128 tokens"),
        ("max_length=128.5.", "--max-length 128.5."),
        ("the beam of a source must end", "the beam of a source must end"),
        ("'n_best/max_length' is missing", "'n_best/max_length' is missing"),
        ("source and beam must fit", "--source and --beam must fit"),
        ("source and rest must fit", "--source and rest must fit"),
        ("top_k must be absent", "top_k must be absent"),
        ("config 'a': [data] must have max_length", None),
    ],
)
def test_arguments_become_flags(flags, message, expected):
    assert spelled(message) == (expected or message)


def test_in_python_nothing_changes():
    assert spelled("max_length must be int") == "max_length must be int"
