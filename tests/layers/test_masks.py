import numpy as np
import pytest
from layer_checks import numpy

from keras_transformer.layers.masks import (
    both,
    causal_mask,
    full_mask,
    padding_mask,
    positions_of,
)
from keras_transformer.text.special_tokens import PAD


def test_padding_mask_by_hand():
    mask = padding_mask(np.array([[5, 7, PAD], [3, PAD, PAD]]))
    assert numpy(mask).tolist() == [[[True, True, False]], [[True, False, False]]]
    assert numpy(padding_mask(np.array([[5, PAD, 9]]), pad=9)).tolist() == [
        [[True, True, False]]
    ]


def test_causal_mask_by_hand():
    mask = causal_mask(np.array([[1, 2]]), np.array([[0, 1, 2, 3]]))
    assert numpy(mask).tolist() == [[[1, 1, 0, 0], [1, 1, 1, 0]]]


def test_causal_mask_is_a_triangle():
    positions = positions_of(np.ones((2, 5), "int32"))
    assert numpy(positions).tolist() == [[0, 1, 2, 3, 4]] * 2
    np.testing.assert_array_equal(
        numpy(causal_mask(positions, positions))[1], np.tri(5)
    )


def test_masks_are_boolean():
    assert "bool" in str(padding_mask(np.array([[5]])).dtype)
    assert "bool" in str(causal_mask(np.array([[0]]), np.array([[0]])).dtype)


def test_causal_mask_of_lengths():
    expected = [[[True, False, False], [True, True, False]]]
    assert numpy(causal_mask(2, 3)).tolist() == expected
    positions = np.arange(2), np.arange(3)
    assert numpy(causal_mask(*positions)).tolist() == expected


def test_causal_mask_of_something_else():
    message = "keys must be a length, or positions .*rank 3"
    with pytest.raises(ValueError, match=message):
        causal_mask(2, np.zeros((1, 2, 3)))


@pytest.mark.parametrize(
    "shape, full",
    [
        ((5, 7), (1, 1, 5, 7)),
        ((2, 5, 7), (2, 1, 5, 7)),
        ((2, 1, 7), (2, 1, 1, 7)),
        ((2, 3, 5, 7), (2, 3, 5, 7)),
        ((1, 3, 1, 1), (1, 3, 1, 1)),
    ],
)
def test_missing_axes_are_filled_as_keras_does(shape, full):
    mask = full_mask(np.ones(shape, "int32"), (2, 3, 5, 7))
    assert tuple(mask.shape) == full
    assert "bool" in str(mask.dtype)


@pytest.mark.parametrize("shape", [(7,), (7, 5), (3, 5, 7), (2, 2, 5, 7), (1,) * 5])
def test_a_mask_that_does_not_fit(shape):
    with pytest.raises(ValueError) as raised:
        full_mask(np.ones(shape, bool), (2, 3, 5, 7))
    assert "= (2, 3, 5, 7); received " + str(shape) in str(raised.value)


@pytest.mark.parametrize("refuse", [full_mask, both])
def test_a_mask_of_floats_is_refused(refuse):
    """As one that is to be added: 0 where attention is allowed."""
    mask = np.where(np.tri(5, dtype=bool), 0.0, -1e9)
    message = "attention_mask must be boolean, True where .*; received 'float"
    with pytest.raises(ValueError, match=message):
        refuse(mask, (2, 3, 5, 5) if refuse is full_mask else np.tri(5, dtype=bool))
