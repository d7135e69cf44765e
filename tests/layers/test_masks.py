import numpy as np
from layer_checks import numpy

from keras_transformer.layers.masks import causal_mask, padding_mask, positions_of
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
